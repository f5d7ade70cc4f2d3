"""Entries that each seal the one before: SHA-256 over the previous entry's hash and this entry's canonical text."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import rfc8785

from penchant.errors import CheckFailed
from penchant.privacy.keys import PublicKey, SigningKey

GENESIS: Final = "0" * 64
"""What the first entry seals."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger.

    number: 1, 2, 3 and so on, without gaps.  body: RFC 8785 JSON, `entry` among its fields. previous, hash:
    lower-case hexadecimal SHA-256; hash covers the 32 bytes of `previous`, then the bytes of `body`.
    signature: Ed25519 over the 32 bytes of `hash`, hexadecimal; None in a ledger that nobody signs.
    """

    number: int
    previous: str
    body: str
    hash: str
    signature: str | None = None

    @property
    def content(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.body)
        return record


def seal(content: Mapping[str, Any], *, after: Entry | None, signer: SigningKey | None = None) -> Entry:
    """The next entry of a chain, with `entry` (its number) added to the content."""
    number, previous = (after.number + 1, after.hash) if after else (1, GENESIS)
    body = rfc8785.dumps({**content, "entry": number}).decode()
    sealed = hash_of(previous, body)
    return Entry(number, previous, body, sealed, signer.sign(bytes.fromhex(sealed)) if signer else None)


def hash_of(previous: str, body: str) -> str:
    """SHA-256 of the previous hash's bytes and the body's bytes, in hexadecimal."""
    return hashlib.sha256(bytes.fromhex(previous) + body.encode()).hexdigest()


def linked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Pass entries on, in order, as long as each seals the one before.

    Raises: CheckFailed naming the first entry that is missing, out of order, edited, or not canonical.
    """
    expected, previous = 1, GENESIS
    for entry in entries:
        if entry.number != expected:
            raise CheckFailed(f"ledger entry {expected} is missing: the next one found is {entry.number}")
        if entry.previous != previous:
            raise CheckFailed(
                f"ledger entry {expected} does not follow entry {expected - 1}: reordered or replaced"
            )
        if _fault(entry):
            raise CheckFailed(f"ledger entry {expected} {_fault(entry)}")
        yield entry
        expected, previous = expected + 1, entry.hash


def signed(entries: Sequence[Entry], key: PublicKey) -> None:
    """Raises: CheckFailed naming the first entry that `key` did not sign."""
    for entry in entries:
        if entry.signature is None or not key.verifies(entry.signature, bytes.fromhex(entry.hash)):
            how = "is not signed" if entry.signature is None else "is signed by another key, or was edited"
            raise CheckFailed(f"ledger entry {entry.number} {how}")


def _fault(entry: Entry) -> str | None:
    try:
        if entry.hash != hash_of(entry.previous, entry.body):
            return "was edited: its hash does not match its text"
        if rfc8785.dumps(entry.content).decode() != entry.body:
            return "is not canonical JSON"
        return None if entry.content.get("entry") == entry.number else "carries another entry's number"
    except (ValueError, AttributeError, rfc8785.CanonicalizationError) as error:
        return f"cannot be read ({error})"
