"""A deployment's folder: what it is made of, and the one process at a time that serves it."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from penchant.errors import BadInput
from penchant.privacy.custody import KEY, PASSPHRASE, WITNESS
from penchant.rundir import RunDirectory, read_json, write_atomically, write_json
from penchant.server.settings import DeploymentSettings, read_settings
from penchant.strategies.invitation import Invitation, read_invitation

_OWNER_ONLY: Final = 0o600


class Deployment:
    """Paths of one deployment. Opens nothing until asked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def existing(cls, root: Path) -> "Deployment":
        """Raises: BadInput when there is none."""
        deployment = cls(root)
        if not deployment.settings_path.is_file():
            raise BadInput(f"{root}: no deployment here; make one with `penchant server init {root}`")
        return deployment

    @property
    def settings_path(self) -> Path:
        return self.root / "server.toml"

    @property
    def invitation_path(self) -> Path:
        """What clients are given: public."""
        return self.root / "invitation"

    @property
    def tls(self) -> Path:
        """ca.pem, ca.key (encrypted), server.pem, server.key."""
        return self.root / "tls"

    @property
    def ledger_key(self) -> Path:
        """Signs the ledger; encrypted. The public half beside it is for whoever audits."""
        return self.root / "keys" / "ledger.key"

    @property
    def operator_token(self) -> Path:
        """Opens what is not for clients: enrolment, revocation, runs."""
        return self.root / "keys" / "operator.token"

    @property
    def runtime_secret(self) -> Path:
        """Shared with Flower's SuperLink: who holds it may run the federation's rounds."""
        return self.root / "keys" / "runtime.secret"

    @property
    def database(self) -> Path:
        return self.root / "superlink.sqlite"

    @property
    def run(self) -> RunDirectory:
        return RunDirectory(self.root / "run")

    @property
    def witness(self) -> Path:
        """Heads of the ledger; best put on another disk by a link."""
        return self.root / "witness"

    @property
    def log_path(self) -> Path:
        return self.root / "superlink.log"

    def settings(self) -> DeploymentSettings:
        return read_settings(self.settings_path)

    def invitation(self) -> Invitation:
        return read_invitation(self.invitation_path)

    def token(self) -> str:
        return self.operator_token.read_text(encoding="ascii")

    def custody(self, passphrase: str) -> dict[str, str]:
        """Who signs this deployment's ledger and where its heads go, as `open_run_ledger` wants to know it."""
        return {KEY: str(self.ledger_key), PASSPHRASE: passphrase, WITNESS: str(self.witness)}

    # What a running server tells.

    @property
    def _state_path(self) -> Path:
        return self.root / "state.json"

    @property
    def _lock_path(self) -> Path:
        return self.root / "server.lock"

    def tell(self, **facts: Any) -> None:
        """Say how far the server is, for `penchant server status`."""
        write_json(self._state_path, {"pid": os.getpid(), **facts})

    def told(self) -> dict[str, Any]:
        """What the server said last; empty where it never ran."""
        return read_json(self._state_path) if self._state_path.is_file() else {}

    @contextmanager
    def served(self, *, patience: float = 0.0) -> Iterator[None]:
        """Be the one process that serves this deployment. patience: seconds to wait for one that is about to end.

        Raises: BadInput where another one does.
        """
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
        try:
            until = time.monotonic() + patience
            while not _locked(handle):
                if time.monotonic() >= until:
                    raise BadInput(f"{self.root}: is being served already; `penchant server stop` ends that")
                time.sleep(0.1)
            yield
        finally:
            os.close(handle)

    def is_served(self) -> bool:
        """Whether a server runs here now. The kernel drops the lock when it ends, however it ends."""
        try:
            with self.served():
                return False
        except BadInput:
            return True


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read."""
    write_atomically(path, content)
    path.chmod(_OWNER_ONLY)


def new_token() -> bytes:
    return secrets.token_urlsafe(32).encode()
