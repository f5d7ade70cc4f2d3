"""Ed25519 keys that sign ledgers: the secret half encrypted at rest, the public half for whoever verifies."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from penchant.errors import BadInput
from penchant.rundir import write_atomically


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that verifies. text: 64 hexadecimal digits, as ledgers and witnesses hold it."""

    text: str

    def __post_init__(self) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.text))
        except ValueError as error:
            raise BadInput(
                f"{self.text!r} is no Ed25519 public key: 64 hexadecimal digits are needed"
            ) from error

    @classmethod
    def read(cls, text_or_path: str) -> "PublicKey":
        """From the digits themselves, or from a file that holds them."""
        path = Path(text_or_path)
        return cls(path.read_text(encoding="ascii").strip() if path.is_file() else text_or_path)

    def verifies(self, signature: str, message: bytes) -> bool:
        """Whether `signature` (hexadecimal) over `message` was made with the secret half."""
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.text)).verify(
                bytes.fromhex(signature), message
            )
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """The half that signs. On disk only ever encrypted."""

    def __init__(self, secret: Ed25519PrivateKey) -> None:
        self._secret = secret

    @classmethod
    def new(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path, *, passphrase: str) -> "SigningKey":
        """Raises: BadInput where the file is no such key, or the passphrase does not open it."""
        try:
            secret = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
        except FileNotFoundError as error:
            raise BadInput(f"{path}: no key here; make one with `penchant keys new {path}`") from error
        except (ValueError, TypeError) as error:
            raise BadInput(f"{path}: not a key, or the passphrase does not open it") from error
        if not isinstance(secret, Ed25519PrivateKey):
            raise BadInput(f"{path}: not an Ed25519 key; make one with `penchant keys new`")
        return cls(secret)

    def write(self, path: Path, *, passphrase: str) -> None:
        """Write the secret, encrypted and readable by its owner alone, and the public half beside it as `.pub`.

        Raises: BadInput for a passphrase of fewer than 8 characters, or a key that is already there.
        """
        if len(passphrase) < 8:
            raise BadInput("a passphrase of 8 or more characters is needed: the key is encrypted with it")
        if path.exists():
            raise BadInput(
                f"{path}: a key is here already, and what it signed could not be verified without it"
            )
        encrypted = self._secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
        write_atomically(path, encrypted)
        os.chmod(path, 0o600)  # noqa: PTH101 - the temporary file was made so, and a replaced one might not be
        write_atomically(path.with_name(f"{path.name}.pub"), self.public.text.encode() + b"\n")

    @property
    def public(self) -> PublicKey:
        raw = self._secret.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return PublicKey(raw.hex())

    def sign(self, message: bytes) -> str:
        """The signature, in hexadecimal."""
        return self._secret.sign(message).hex()
