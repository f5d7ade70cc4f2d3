"""The device's exported model: is it of the newest head?"""

import hashlib
from pathlib import Path
from typing import Final

from penchant.score import Scorer

FILE: Final = "score.onnx"
_MADE_OF: Final = ("invitation/terms.json", "invitation/catalogue.json", "head.safetensors")


def up_to_date(home: Path) -> Scorer | None:
    """The device's model, made anew where a newer head has come; None where there is neither invitation nor model.

    Only making it anew needs PyTorch.
    """
    if not (home / _MADE_OF[0]).is_file():
        return Scorer.load(home / FILE) if (home / FILE).is_file() else None
    origin = origin_of(home)
    if (home / FILE).is_file():
        scorer = Scorer.load(home / FILE)
        if scorer.origin == origin:
            return scorer
    from penchant.client.exporting import export_current

    export_current(home, origin=origin)
    return Scorer.load(home / FILE)


def origin_of(home: Path) -> str:
    """SHA-256 over what the model is made of. Item vectors are left out: an accepted invitation does not change."""
    total = hashlib.sha256()
    for name in _MADE_OF:
        path = home / name
        total.update(hashlib.sha256(path.read_bytes() if path.is_file() else b"").digest())
    return total.hexdigest()
