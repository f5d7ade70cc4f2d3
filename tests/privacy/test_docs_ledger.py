"""The verifier that docs/ledger.md prints agrees with ours, about honest ledgers and about others."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from penchant.privacy.events import GaussianSum
from penchant.privacy.keys import SigningKey
from penchant.privacy.ledger import Budget, Ledger
from penchant.types import Unit

PAGE: Final = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")


def _script() -> str:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return str(script)


def _run(path: Path, *key: str) -> subprocess.CompletedProcess[str]:
    script = path / "verifier.py"
    script.write_text(_script())
    command = [sys.executable, "-I", str(script), str(path / "ledger.sqlite"), "1e-5", *key]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def signer() -> SigningKey:
    return SigningKey.new()


@pytest.fixture
def ledger(tmp_path: Path, signer: SigningKey) -> Path:
    with Ledger(tmp_path / "ledger.sqlite", run_id="run", signer=signer) as ledger:
        for round_ in range(1, 61):
            terms = {"budget": Budget(9.0, 1e-5), "reproducible": False, "people": ["a", str(round_)]}
            charge = ledger.reserve(round_, GaussianSum(4.65, Unit.USER), **terms).id  # type: ignore[arg-type]
            ledger.persisted(charge, "00" * 32)
            ledger.released(charge)
            ledger.published(charge)
    return tmp_path


def test_it_is_short_and_imports_nothing_of_ours() -> None:
    lines = [line for line in _script().splitlines() if line.strip()]
    assert len(lines) <= 40
    assert "penchant" not in _script()


def test_it_recomputes_an_honest_ledger(ledger: Path, signer: SigningKey) -> None:
    done = _run(ledger, signer.public.text)
    assert done.returncode == 0, done.stderr
    assert "241 entries hold; 60 charges; epsilon 7.998" in done.stdout
    assert _run(ledger, SigningKey.new().public.text).returncode != 0


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE entries SET body = replace(body, '4.65', '9.65') WHERE number = 6", "entry 6: was edited"),
        ("DELETE FROM entries WHERE number = 7", "entry 7: missing"),
        ("UPDATE entries SET signature = NULL WHERE number = 9", "entry 9: is not signed"),
        ("UPDATE entries SET previous = hash WHERE number = 3", "entry 3: does not follow"),
    ],
)
def test_it_names_the_first_wrong_entry(ledger: Path, statement: str, named: str) -> None:
    database = sqlite3.connect(ledger / "ledger.sqlite")
    for change in ("DROP TRIGGER no_update", "DROP TRIGGER no_delete", statement):
        database.execute(change)
    database.commit()
    database.close()
    done = _run(ledger)
    assert done.returncode == 1
    assert named in done.stderr


def test_every_field_of_a_row_is_documented(ledger: Path) -> None:
    database = sqlite3.connect(ledger / "ledger.sqlite")
    bodies = [body for (body,) in database.execute("SELECT body FROM entries")]
    database.close()
    fields = {field for body in bodies for field in re.findall(r'"(\w+)":', body)}
    assert {field for field in fields if f"`{field}`" not in PAGE} == set()
