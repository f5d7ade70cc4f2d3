"""What a device keeps about its federation: the invitation, its own node key, the head received last."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from penchant.errors import BadInput
from penchant.interest.company import Company
from penchant.interest.parameters import TensorLayout
from penchant.rundir import write_atomically
from penchant.strategies.counting import CountingTerms
from penchant.strategies.hand_out import admitted
from penchant.strategies.invitation import Invitation, read_invitation
from penchant.strategies.wire import Refused
from penchant.types import F32

_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Head:
    """The shared head as received. round: which round it came from.  final: no further round is to come."""

    round: int
    values: F32
    final: bool


class Enrolment:
    """Paths in a device's folder. Opens nothing until asked."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @classmethod
    def existing(cls, home: Path) -> "Enrolment":
        """Raises: BadInput where the device has not been enrolled."""
        enrolment = cls(home)
        if not enrolment.key_path.is_file():
            raise BadInput(
                f"{home}: not enrolled; `penchant client enroll {home} --invitation FOLDER` does that"
            )
        return enrolment

    @property
    def invitation_path(self) -> Path:
        return self.home / "invitation"

    @property
    def authority_path(self) -> Path:
        """Who must have signed the server's certificate. Nobody else is believed."""
        return self.invitation_path / "ca.pem"

    @property
    def key_path(self) -> Path:
        """Says who this device is, and opens nothing that it holds. Readable by its owner alone."""
        return self.home / "node.key"

    @property
    def public_key_path(self) -> Path:
        """For the server's owner, who lets the device in with it."""
        return self.home / "node.pub"

    @property
    def head_path(self) -> Path:
        return self.home / "head.safetensors"

    @property
    def company_path(self) -> Path:
        """What was counted, as the server concluded from it; alike on every device."""
        return self.home / "company.safetensors"

    def invitation(self) -> Invitation:
        return read_invitation(self.invitation_path)

    def join(self, invitation: Invitation) -> None:
        """Accept an invitation, with a node key of the device's own making. Asked again for the same, nothing changes.

        Raises: BadInput where the device belongs to another federation, or terms changed: the person decides anew.
        """
        if self.key_path.is_file():
            if self.invitation().digest != invitation.digest:
                raise BadInput(
                    f"{self.home}: enrolled under other terms; leave with `penchant client erase`, then enroll again"
                )
            return
        invitation.save(self.invitation_path)
        key = ec.generate_private_key(ec.SECP384R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        write_atomically(self.public_key_path, public + b"\n")
        write_atomically(self.key_path, secret)
        self.key_path.chmod(_OWNER_ONLY)

    def keep_head(self, layout: TensorLayout, head: Head) -> None:
        told = {"round": str(head.round), "final": str(head.final)}
        write_atomically(self.head_path, save(layout.unflatten(head.values), metadata=told))

    def keep_company(self, content: bytes) -> None:
        """content: a file that was admitted."""
        write_atomically(self.company_path, content)

    def company(self, terms: CountingTerms) -> Company | None:
        """None before it came. Raises: BadInput for a damaged file."""
        if not self.company_path.is_file():
            return None
        try:
            return admitted(self.company_path.read_bytes(), terms)
        except Refused as error:
            raise BadInput(
                f"{self.company_path}: {error}; delete it, the next `penchant server up` brings it again"
            ) from error

    def head_told(self) -> dict[str, str] | None:
        """What the head received last says of itself: its round, and whether it is final."""
        if not self.head_path.is_file():
            return None
        with safe_open(self.head_path, "numpy") as file:
            return dict(file.metadata())

    def head(self, layout: TensorLayout) -> Head | None:
        """The head received last; None before the first. Raises: BadInput for a damaged file."""
        if not self.head_path.is_file():
            return None
        try:
            with safe_open(self.head_path, "numpy") as file:
                told, names = file.metadata(), file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
            return Head(int(told["round"]), layout.flatten(tensors), told["final"] == "True")
        except (SafetensorError, KeyError, ValueError) as error:
            raise BadInput(
                f"{self.head_path}: not a head ({error}); delete it, the next round brings another"
            ) from error
