"""The seam at which another encoder (pictures, sound, another language model) joins."""

from collections.abc import Callable, Sequence
from typing import Protocol

from penchant.types import F32

Progress = Callable[[int], object]
"""`progress(n)` says that n more texts are done."""


def silent(n: int) -> None:
    """A `Progress` that shows nothing."""


class Encoder(Protocol):
    """A frozen pretrained model: texts in, vectors out."""

    @property
    def digest(self) -> str:
        """Differs whenever the same text may get another vector (beyond 1e-5)."""

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> F32:
        """One row per text, in order: float32[n_texts, width], finite.

        A text's row depends on that text alone, within 1e-5: not on its neighbours, not on their order.
        """
