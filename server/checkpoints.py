"""Checkpoints of the head: durable, self-checking, the last few kept."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from penchant.rundir import write_atomically
from penchant.strategies import HeadState

_KEPT: Final = 2
_log = logging.getLogger(__name__)


class Checkpoints:
    """One file a round, named after the round and the SHA-256 of its content: a damaged one cannot pass for whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, state: HeadState) -> str:
        """Write a state and return its SHA-256; the round before stays, older ones go."""
        tensors: dict[str, npt.NDArray[Any]] = {
            "head": state.head,
            "first_moment": state.first_moment,
            "second_moment": state.second_moment,
            "round": np.array([state.round], np.int64),
        }
        if state.clip_bound is not None:
            tensors["clip_bound"] = np.array([state.clip_bound])
        content = save(tensors)
        digest = hashlib.sha256(content).hexdigest()
        write_atomically(self._folder / f"round-{state.round:06d}-{digest}.safetensors", content)
        for old in self._newest_first()[_KEPT:]:
            old.unlink()
        return digest

    def latest(self) -> tuple[HeadState, str] | None:
        """The newest state that is whole, and its SHA-256; what is damaged is logged and passed over."""
        for path in self._newest_first():
            state = _read(path)
            if state is not None:
                return state, _digest(path)
            _log.warning("checkpoint %s is damaged: going back to the one before", path.name)
        return None

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob("round-*.safetensors"), reverse=True)


def skipped_to(state: HeadState, round_: int) -> HeadState:
    """The state when rounds up to `round_` were released but their result is lost: they are not released again."""
    return replace(state, round=max(state.round, round_))


def _digest(path: Path) -> str:
    return path.stem.split("-")[2]


def _read(path: Path) -> HeadState | None:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _digest(path):
        return None
    try:
        tensors = load(content)
    except SafetensorError:
        return None
    return HeadState(
        int(tensors["round"][0]),
        tensors["head"],
        tensors["first_moment"],
        tensors["second_moment"],
        clip_bound=float(tensors["clip_bound"][0]) if "clip_bound" in tensors else None,
    )
