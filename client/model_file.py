"""The device's exported model: is it of the newest head?"""

import hashlib
import multiprocessing
from pathlib import Path
from typing import Final

from penchant.score import Scorer

FILE: Final = "score.onnx"
_MADE_OF: Final = (
    "invitation/terms.json",
    "invitation/catalogue.json",
    "head.safetensors",
    "company.safetensors",
)


def up_to_date(home: Path, *, apart: bool = False) -> Scorer | None:
    """The device's model, made anew where a newer head has come; None where there is neither invitation nor model.

    Only making it anew needs PyTorch. apart: do that in a process of its own, so that this one stays small.
    """
    if not (home / _MADE_OF[0]).is_file():
        return Scorer.load(home / FILE) if (home / FILE).is_file() else None
    if (home / FILE).is_file():
        scorer = Scorer.load(home / FILE)
        if is_newest(home, scorer.origin):
            return scorer
    if apart:
        process = multiprocessing.get_context("spawn").Process(target=make, args=(home,), daemon=True)
        process.start()
        process.join()
    else:
        make(home)
    return Scorer.load(home / FILE)


def make(home: Path) -> None:
    """Write the model of the newest head. Where the device was erased meanwhile, nothing stays."""
    from penchant.client.exporting import export_current

    export_current(home, origin=origin_of(home))
    if not (home / _MADE_OF[0]).is_file():
        (home / FILE).unlink(missing_ok=True)


def is_newest(home: Path, origin: str) -> bool:
    """Whether a model of that origin is of the head that came last; true where there is no invitation to get one by."""
    return not (home / _MADE_OF[0]).is_file() or origin_of(home) == origin


def origin_of(home: Path) -> str:
    """SHA-256 over what the model is made of. Item vectors are left out: an accepted invitation does not change."""
    total = hashlib.sha256()
    for name in _MADE_OF:
        path = home / name
        total.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
    return total.hexdigest()
