"""Heads of a ledger, kept where whoever holds the ledger cannot change them: what shows a truncated or an old copy."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from penchant.errors import BadInput, CheckFailed
from penchant.privacy.chain import Entry
from penchant.privacy.keys import PublicKey


@dataclass(frozen=True, slots=True)
class Head:
    """A ledger as it was after one release: the number, hash and signature of its last entry."""

    entry: int
    hash: str
    signature: str | None


class Witness:
    """One ledger's heads, a line each, only ever added to. Put the file on another disk, another machine, or paper."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, head: Entry) -> None:
        """Add a head, durable when this returns."""
        line = json.dumps(
            {"entry": head.number, "hash": head.hash, "signature": head.signature}, sort_keys=True
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def heads(self) -> list[Head]:
        """All heads, in the order in which they were kept. A last line that was torn by a crash is left out."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        return [self._head(line, number) for number, line in enumerate(lines[:-1], start=1)]

    def check(self, entries: Sequence[Entry], *, key: PublicKey | None = None) -> int:
        """Hold a ledger against its heads. Returns how many heads agreed.

        Raises: CheckFailed where the ledger is shorter than a head, or holds another entry in its place, or where a
        head was not signed by `key`.
        """
        heads = self.heads()
        for head in heads:
            if head.entry > len(entries):
                raise CheckFailed(
                    f"the ledger ends at entry {len(entries)}, but {self.path} saw entry {head.entry}:"
                    " it was truncated or deleted, or an old copy was put back"
                )
            if entries[head.entry - 1].hash != head.hash:
                raise CheckFailed(
                    f"ledger entry {head.entry} is not the one that {self.path} saw: it was rewritten"
                )
            if key and not (head.signature and key.verifies(head.signature, bytes.fromhex(head.hash))):
                raise CheckFailed(
                    f"{self.path}: the head of entry {head.entry} is not signed by the ledger's key"
                )
        return len(heads)

    def _head(self, line: str, number: int) -> Head:
        try:
            return Head(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise BadInput(f"{self.path}:{number}: not a head of a ledger ({error})") from error
