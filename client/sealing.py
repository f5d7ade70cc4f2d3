"""Encryption at rest: each record sealed on its own, under a key that only a passphrase or a key file opens.

A random data key seals the records. It lies beside them wrapped under a key derived from the secret, so that a secret
can change without sealing everything again, and destroying the wrapped key makes every record unreadable for good.
Sources: AES-GCM, NIST SP 800-38D; Scrypt, RFC 7914; HKDF, RFC 5869.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from penchant.errors import BadInput

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SALT_BYTES: Final = 16
_WRAP: Final = b"penchant store: data key"
_SCRYPT: Final = {"n": 1 << 15, "r": 8, "p": 1}
"""32 MiB and about a tenth of a second an attempt, for whoever guesses passphrases too."""


class Damaged(BadInput):
    """A record that does not open under the store's own key: changed, moved to another place, or torn."""


class Secret(Protocol):
    """What opens a store. name: how its wrapping key is derived, kept beside the wrapped key."""

    @property
    def name(self) -> str: ...

    def derive(self, salt: bytes) -> bytes:
        """32 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A secret that a person remembers. Raises: BadInput for fewer than 8 characters."""

    text: str
    name = "scrypt"

    def __post_init__(self) -> None:
        if len(self.text) < 8:
            raise BadInput("a passphrase of 8 or more characters is needed: the store is encrypted with it")

    def derive(self, salt: bytes) -> bytes:
        return Scrypt(salt=salt, length=_KEY_BYTES, **_SCRYPT).derive(self.text.encode())


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A secret of 32 or more random bytes that a machine keeps."""

    content: bytes
    name = "hkdf"

    @classmethod
    def read(cls, path: Path) -> "KeyFile":
        """Raises: BadInput where there is no file, it is too short, or others may read it."""
        try:
            content, mode = path.read_bytes(), path.stat().st_mode
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}; a key file is needed to open the store") from error
        if len(content) < _KEY_BYTES:
            raise BadInput(
                f"{path}: {len(content)} bytes; a key file holds {_KEY_BYTES} or more random bytes"
            )
        if mode & 0o077:
            raise BadInput(f"{path}: others may read this key; say `chmod 600 {path}`")
        return cls(content)

    @classmethod
    def new(cls, path: Path) -> "KeyFile":
        """Write 32 random bytes, readable by their owner alone. Raises: BadInput where a file is there already."""
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise BadInput(f"{path}: a file is here already; a key is never written over it") from error
        with os.fdopen(handle, "wb") as stream:
            stream.write(os.urandom(_KEY_BYTES))
            os.fsync(stream.fileno())
        return cls.read(path)

    def derive(self, salt: bytes) -> bytes:
        return HKDF(SHA256(), _KEY_BYTES, salt=salt, info=_WRAP).derive(self.content)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """The data key as it lies on disk. method: the `name` of the secret that opens it."""

    method: str
    salt: bytes
    sealed: bytes

    def open(self, secret: Secret) -> "Sealer":
        """Raises: BadInput where the secret is not the one that the key was wrapped with."""
        if secret.name != self.method:
            raise BadInput(f"this store opens with {_KINDS[self.method]}, not with {_KINDS[secret.name]}")
        try:
            return Sealer(Sealer(secret.derive(self.salt)).open(self.sealed, _WRAP))
        except Damaged as error:
            raise BadInput(f"the {_KINDS[self.method].split(' ', 1)[1]} does not open this store") from error


_KINDS: Final = {"scrypt": "a passphrase", "hkdf": "a key file"}


class Sealer:
    """Seals and opens records with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher = AESGCM(key)

    @classmethod
    def new(cls) -> "Sealer":
        return cls(os.urandom(_KEY_BYTES))

    def wrapped(self, secret: Secret) -> WrappedKey:
        """This key, to be kept where anybody may read it."""
        salt = os.urandom(_SALT_BYTES)
        return WrappedKey(secret.name, salt, Sealer(secret.derive(salt)).seal(self._key, _WRAP))

    def seal(self, content: bytes, place: bytes) -> bytes:
        """place: where the record belongs. It opens nowhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Raises: Damaged."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError) as error:
            raise Damaged(
                f"{place.decode()}: the record was changed or damaged; restore the store or erase it"
            ) from error
