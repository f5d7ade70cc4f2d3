"""A signed ledger shows who wrote it; a witness shows what was there before."""

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from penchant.errors import BadInput, CheckFailed
from penchant.privacy.chain import signed
from penchant.privacy.events import GaussianSum
from penchant.privacy.keys import PublicKey, SigningKey
from penchant.privacy.ledger import Budget, Ledger, read_ledger
from penchant.privacy.witness import Witness
from penchant.types import Unit

EVENT, BUDGET, PASSPHRASE = GaussianSum(4.65, Unit.USER), Budget(8.0, 1e-5), "correct horse"


def _write(path: Path, rounds: range, **terms: object) -> None:
    with Ledger(path / "ledger.sqlite", run_id="run", **terms) as ledger:  # type: ignore[arg-type]
        for round_ in rounds:
            charge = ledger.reserve(round_, EVENT, budget=BUDGET, reproducible=False).id
            ledger.persisted(charge, "00" * 32)
            ledger.released(charge)
            ledger.published(charge)


def test_a_key_is_encrypted_at_rest_and_comes_back(tmp_path: Path) -> None:
    key = SigningKey.new()
    key.write(tmp_path / "key.pem", passphrase=PASSPHRASE)
    assert b"ENCRYPTED" in (tmp_path / "key.pem").read_bytes()
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    again = SigningKey.read(tmp_path / "key.pem", passphrase=PASSPHRASE)
    assert PublicKey.read(str(tmp_path / "key.pem.pub")) == again.public == key.public
    assert key.public.verifies(again.sign(b"text"), b"text")
    assert not key.public.verifies(again.sign(b"text"), b"other text")


def test_keys_that_cannot_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(BadInput, match="8 or more"):
        SigningKey.new().write(path, passphrase="short")
    assert not path.exists()
    SigningKey.new().write(path, passphrase=PASSPHRASE)
    with pytest.raises(BadInput, match="already"):
        SigningKey.new().write(path, passphrase=PASSPHRASE)
    with pytest.raises(BadInput, match="does not open"):
        SigningKey.read(path, passphrase="wrong horse")
    with pytest.raises(BadInput, match="keys new"):
        SigningKey.read(tmp_path / "none.pem", passphrase=PASSPHRASE)
    with pytest.raises(BadInput, match="no Ed25519 public key"):
        PublicKey.read("abc")


def test_every_entry_is_signed_from_the_first(tmp_path: Path) -> None:
    key = SigningKey.new()
    _write(tmp_path, range(1, 3), signer=key)
    entries = read_ledger(tmp_path / "ledger.sqlite")
    assert entries[0].content["key"] == key.public.text
    signed(entries, key.public)
    with pytest.raises(CheckFailed, match="entry 1 is signed by another key"):
        signed(entries, SigningKey.new().public)


def test_whoever_lacks_the_key_cannot_go_on(tmp_path: Path) -> None:
    _write(tmp_path, range(1, 2), signer=SigningKey.new())
    for terms in ({}, {"signer": SigningKey.new()}):
        with pytest.raises(BadInput, match="opened with key"):
            _write(tmp_path, range(2, 3), **terms)


def test_a_chain_rewritten_without_the_key_is_caught(tmp_path: Path) -> None:
    """An attacker recomputes all hashes; signatures are what they cannot recompute."""
    key = SigningKey.new()
    _write(tmp_path, range(1, 3), signer=key)
    forged = tmp_path / "forged"
    forged.mkdir()
    _write(forged, range(1, 2), signer=SigningKey.new())
    with pytest.raises(CheckFailed, match="entry 1 is signed by another key"):
        signed(read_ledger(forged / "ledger.sqlite"), key.public)


@pytest.mark.parametrize("statement", ["UPDATE entries SET signature = NULL WHERE number = 3"])
def test_a_signature_taken_away_is_named(tmp_path: Path, statement: str) -> None:
    key = SigningKey.new()
    _write(tmp_path, range(1, 3), signer=key)
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.execute("DROP TRIGGER no_update")
    database.execute(statement)
    database.commit()
    database.close()
    with pytest.raises(CheckFailed, match="entry 3 is not signed"):
        signed(read_ledger(tmp_path / "ledger.sqlite"), key.public)
    with pytest.raises(CheckFailed, match="entry 3 is not signed"):
        _write(tmp_path, range(3, 4), signer=key)


def test_settings_that_changed_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, range(1, 2), configuration="aa")
    _write(tmp_path, range(2, 3), configuration="aa")
    with pytest.raises(BadInput, match="settings changed"):
        _write(tmp_path, range(3, 4), configuration="bb")


# What a chain alone cannot show: that its end is missing.


def test_each_release_leaves_a_head_with_the_witness(tmp_path: Path) -> None:
    key, witness = SigningKey.new(), Witness(tmp_path / "elsewhere" / "heads.jsonl")
    _write(tmp_path, range(1, 4), signer=key, witness=witness)
    assert [head.entry for head in witness.heads()] == [4, 8, 12]
    assert witness.check(read_ledger(tmp_path / "ledger.sqlite"), key=key.public) == 3
    with pytest.raises(CheckFailed, match="entry 4 is not signed by the ledger's key"):
        witness.check(read_ledger(tmp_path / "ledger.sqlite"), key=SigningKey.new().public)


def test_an_old_copy_is_refused(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "heads.jsonl")
    _write(tmp_path, range(1, 2), witness=witness)
    shutil.copy(tmp_path / "ledger.sqlite", tmp_path / "old")
    _write(tmp_path, range(2, 4), witness=witness)
    shutil.copy(tmp_path / "old", tmp_path / "ledger.sqlite")
    with pytest.raises(CheckFailed, match=r"ends at entry 5, but .* saw entry 8"):
        _write(tmp_path, range(4, 5), witness=witness)


def test_a_truncated_ledger_is_refused(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "heads.jsonl")
    _write(tmp_path, range(1, 4), witness=witness)
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.execute("DROP TRIGGER no_delete")
    database.execute("DELETE FROM entries WHERE number > 10")
    database.commit()
    database.close()
    read_ledger(tmp_path / "ledger.sqlite")  # the chain alone looks whole
    with pytest.raises(CheckFailed, match="truncated"):
        _write(tmp_path, range(4, 5), witness=witness)


def test_a_deleted_ledger_does_not_start_anew(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "heads.jsonl")
    _write(tmp_path, range(1, 2), witness=witness)
    (tmp_path / "ledger.sqlite").unlink()
    with pytest.raises(CheckFailed, match="deleted"):
        _write(tmp_path, range(1, 2), witness=witness)


def test_history_rewritten_with_the_key_is_refused(tmp_path: Path) -> None:
    """The key's owner writes another history of the same length: the witness remembers the first."""
    key, witness = SigningKey.new(), Witness(tmp_path / "heads.jsonl")
    _write(tmp_path, range(1, 4), signer=key, witness=witness)
    other = tmp_path / "other"
    other.mkdir()
    _write(other, range(2, 5), signer=key)
    with pytest.raises(CheckFailed, match="entry 4 is not the one"):
        witness.check(read_ledger(other / "ledger.sqlite"), key=key.public)


def test_a_torn_line_of_the_witness_is_left_out_and_a_false_one_named(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "heads.jsonl")
    _write(tmp_path, range(1, 3), witness=witness)
    whole = witness.path.read_text()
    witness.path.write_text(whole + '{"entry": 1')
    assert len(witness.heads()) == 2
    witness.path.write_text("nonsense\n" + whole)
    with pytest.raises(BadInput, match=r"heads.jsonl:1"):
        witness.heads()
