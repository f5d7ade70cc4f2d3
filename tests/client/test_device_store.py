"""The store on a device: only its secret opens it, nothing committed is lost, and what is spent stays spent."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from penchant.client.account import read_account
from penchant.client.device_store import DeviceStore
from penchant.client.preferences import Preferences
from penchant.client.schema import VERSION
from penchant.client.sealing import Damaged, KeyFile, Passphrase
from penchant.client.store import PersonalState, charged
from penchant.errors import BadInput, EnvironmentMissing
from penchant.types import F32, Event, Kind

PASSPHRASE: Final = Passphrase("correct horse")
SECRET: Final = KeyFile(b"0123456789abcdef" * 2)
INDEX: Final = {"alien": 0, "fargo": 1, "psycho": 2}
INITIAL: Final[F32] = np.zeros(3, np.float32)
V1: Final = Path(__file__).parent / "store-v1.sqlite"
"""Written by the first version that had a store. It opens with `PASSPHRASE`."""


def numbers(*values: float) -> F32:
    return np.array(values, np.float32)


def watched(item: str, at: int, kind: Kind = Kind.VIEW) -> Event:
    return Event(item, kind, at)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with DeviceStore.create(tmp_path / "device", SECRET) as store:
        store.add([watched("fargo", 20), watched("alien", 10), watched("unknown", 15), watched("psycho", 20)])
    return tmp_path / "device"


def test_history_is_in_order_of_time_then_of_arrival_and_knows_the_catalogue_alone(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        assert store.history(INDEX).tolist() == [0, 1, 2]
        store.add([watched("psycho", 1, Kind.SEARCH)])
        assert store.history(INDEX).tolist() == [2, 0, 1, 2]
        store.set_preferences(Preferences(kinds=frozenset({Kind.VIEW})))
        assert store.history(INDEX).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (KeyFile(b"k" * 32), "key file does not open this store"),
        (PASSPHRASE, "opens with a key file, not with a passphrase"),
    ],
)
def test_another_secret_is_refused(home: Path, secret: Passphrase | KeyFile, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        DeviceStore.open(home, secret)


def test_a_key_file_opens_what_was_made_with_it_and_no_other_does(tmp_path: Path) -> None:
    key, other = KeyFile.new(tmp_path / "key"), KeyFile.new(tmp_path / "other")
    DeviceStore.create(tmp_path / "device", key).close()
    DeviceStore.open(tmp_path / "device", KeyFile.read(tmp_path / "key")).close()
    with pytest.raises(BadInput, match="key file does not open this store"):
        DeviceStore.open(tmp_path / "device", other)


def test_a_key_file_that_others_may_read_or_that_is_short_is_refused(tmp_path: Path) -> None:
    KeyFile.new(tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        KeyFile.read(tmp_path / "key")
    (tmp_path / "short").write_bytes(b"1234")
    with pytest.raises(BadInput, match="4 bytes"):
        KeyFile.read(tmp_path / "short")
    with pytest.raises(BadInput, match="never written over"):
        KeyFile.new(tmp_path / "key")


def test_a_passphrase_opens_what_was_made_with_it_and_no_other_does(tmp_path: Path) -> None:
    DeviceStore.create(tmp_path / "device", PASSPHRASE).close()
    DeviceStore.open(tmp_path / "device", PASSPHRASE).close()
    with pytest.raises(BadInput, match="passphrase does not open this store"):
        DeviceStore.open(tmp_path / "device", Passphrase("wrong horse"))
    with pytest.raises(BadInput, match="8 or more"):
        Passphrase("short")


def test_a_secret_can_be_changed(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        store.change_secret(KeyFile(b"k" * 32))
    with pytest.raises(BadInput, match="does not open"):
        DeviceStore.open(home, SECRET)
    with DeviceStore.open(home, KeyFile(b"k" * 32)) as store:
        assert len(store.events()) == 4


def files_of(home: Path) -> bytes:
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_nothing_personal_lies_on_the_disk_in_the_clear(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        store.set_preferences(Preferences(blocked_categories=frozenset({"Horror"})))
        store.personal(INITIAL, belongs_to="model").save(PersonalState(numbers(*[7.25, 1, 2])))
        lying = files_of(home)
    lying += files_of(home)
    for secret in (b"fargo", b"alien", b"view", b"Horror", b"consent given", np.float32(7.25).tobytes()):
        assert secret not in lying
    assert b"events" in lying  # the check reads what it should


def test_files_belong_to_their_owner_alone(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        store.set_consent(True)
        modes = {file.name: file.stat().st_mode & 0o777 for file in home.iterdir()}
    assert set(modes.values()) == {0o600}
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_record_that_was_changed_or_moved_is_noticed(home: Path) -> None:
    with sqlite3.connect(home / "store.sqlite") as raw:
        raw.execute("UPDATE events SET sealed = (SELECT sealed FROM events WHERE id = 2) WHERE id = 1")
    raw.close()
    with DeviceStore.open(home, SECRET) as store, pytest.raises(Damaged, match="events/1"):
        store.events()


def test_nobody_takes_part_who_was_not_asked_and_withdrawal_is_seen_at_once(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as one, DeviceStore.open(home, SECRET) as other:
        assert not one.consents()
        other.set_consent(True)
        assert one.consents()
        other.set_consent(False)
        assert not one.consents()


def test_what_another_process_records_is_seen(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as one, DeviceStore.open(home, SECRET) as other:
        assert len(one.events()) == 4
        (event_id,) = other.add([watched("alien", 30)])
        assert one.history(INDEX).tolist() == [0, 1, 2, 0]
        one.forget(event_id)
        assert other.history(INDEX).tolist() == [0, 1, 2]
        with pytest.raises(BadInput, match="no event"):
            other.forget(event_id)


def test_events_expire_by_age_when_the_person_wants_it(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        now = time.time()
        store.add([watched("alien", int(now) - 86_400), watched("fargo", int(now))])
        store.set_preferences(Preferences(retention_days=2))
        assert [one.event.item for one in store.events()] == ["alien", "fargo"]
        assert store.expire(now=now + 1.5 * 86_400) == 1
    with DeviceStore.open(home, SECRET) as store:
        assert [one.event.item for one in store.events()] == ["fargo"]


def test_state_is_kept_and_an_adapter_of_another_model_is_not_used(home: Path) -> None:
    state = PersonalState(numbers(*[1, 2, 3]), charged((), 1.5))
    with DeviceStore.open(home, SECRET) as store:
        assert store.personal(INITIAL, belongs_to="a").load().charges == ()
        store.personal(INITIAL, belongs_to="a").save(state)
    with DeviceStore.open(home, SECRET) as store:
        kept = store.personal(INITIAL, belongs_to="a").load()
        assert kept.adapter.tolist() == [1, 2, 3]
        assert kept.charges == state.charges
        other = store.personal(INITIAL, belongs_to="b").load()
        assert other.adapter.tolist() == [0, 0, 0]
        assert other.charges == state.charges


def test_an_old_copy_of_the_store_or_of_the_account_gives_no_budget_back(home: Path) -> None:
    once = charged((), 1.5)
    twice = charged(once, 1.5)
    old_store = (home / "store.sqlite").read_bytes()
    with DeviceStore.open(home, SECRET) as store:
        store.personal(INITIAL, belongs_to="a").save(PersonalState(INITIAL, once))
        old_account = (home / "account.json").read_bytes()
        store.personal(INITIAL, belongs_to="a").save(PersonalState(INITIAL, twice))
    newest = (home / "account.json").read_bytes()
    (home / "account.json").write_bytes(old_account)
    with DeviceStore.open(home, SECRET) as store:
        assert store.personal(INITIAL, belongs_to="a").load().charges == twice
    (home / "account.json").write_bytes(newest)
    (home / "store.sqlite").write_bytes(old_store)
    with DeviceStore.open(home, SECRET) as store:
        assert store.personal(INITIAL, belongs_to="a").load().charges == twice


@pytest.mark.parametrize(
    "content", ["", "{}", '{"charges": [[0, 1, 2]]}', '{"charges": [["a", 1, 2]]}', "[1]"]
)
def test_a_damaged_account_stops_training(home: Path, content: str) -> None:
    (home / "account.json").write_text(content)
    with DeviceStore.open(home, SECRET) as store, pytest.raises(BadInput, match="not an account"):
        store.personal(INITIAL, belongs_to="a").load()


def test_an_erasure_leaves_the_account_and_nothing_else(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        store.personal(INITIAL, belongs_to="a").save(PersonalState(numbers(*[7.25, 1, 2]), charged((), 1.5)))
        store.erase()
    assert [file.name for file in home.iterdir()] == ["account.json"]
    assert json.loads((home / "account.json").read_text()) == {"charges": [[1.5, 1.0, 1]]}
    with pytest.raises(BadInput, match="no store here"):
        DeviceStore.open(home, SECRET)
    with DeviceStore.create(home, SECRET) as store:
        assert store.events() == []
        assert store.personal(INITIAL, belongs_to="a").load().charges == ((1.5, 1.0, 1),)


def test_an_erasure_that_was_stopped_half_way_is_finished_by_a_new_store(home: Path) -> None:
    with sqlite3.connect(home / "store.sqlite") as raw:
        raw.execute("DELETE FROM key")
    raw.close()
    with pytest.raises(BadInput, match="was erased"):
        DeviceStore.open(home, SECRET)
    with DeviceStore.create(home, SECRET) as store:
        assert store.events() == []


def test_a_store_is_never_made_over_another(home: Path) -> None:
    with pytest.raises(BadInput, match="here already"):
        DeviceStore.create(home, SECRET)


KILLED: Final = """
import sys
from pathlib import Path
import numpy as np
from penchant.client.device_store import DeviceStore
from penchant.client.sealing import KeyFile
from penchant.client.store import PersonalState
from penchant.types import Event, Kind
store = DeviceStore.open(Path(sys.argv[1]), KeyFile(b"0123456789abcdef" * 2))
record = store.personal(np.zeros(3, np.float32), belongs_to="a")
for n in range(1, 100_000):
    store.add([Event("alien", Kind.VIEW, 100 + n)])
    record.save(PersonalState(np.full(3, n, np.float32), ((1.5, 1.0, n),)))
    print(n, flush=True)
"""


def test_what_was_committed_outlives_a_killed_process(home: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, home], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(20)][-1]
    process.send_signal(signal.SIGKILL)
    told = max([told, *map(int, process.stdout.read().split())])
    process.stdout.close()
    process.wait()
    with DeviceStore.open(home, SECRET) as store:
        kept = store.personal(INITIAL, belongs_to="a").load()
        assert len(store.events()) - 4 in (told, told + 1)
        assert kept.adapter.tolist() in ([told] * 3, [told + 1] * 3)
        ((_, _, steps),) = kept.charges
        assert steps >= kept.adapter[0]
    assert read_account(home / "account.json") == kept.charges


def test_an_old_schema_is_migrated(tmp_path: Path) -> None:
    home = tmp_path / "device"
    home.mkdir()
    (home / "store.sqlite").write_bytes(V1.read_bytes())
    assert version_of(home) == 1
    with DeviceStore.open(home, PASSPHRASE) as store:
        assert store.history(INDEX).tolist() == [0, 1]
        assert store.consents()
        assert store.preferences() == Preferences(age=11)
        assert store.journal() == []
        assert store.personal(INITIAL, belongs_to="a").load().charges == ((1.5, 1.0, 3),)
        assert store.personal(INITIAL, belongs_to="a").load().adapter.tolist() == [1, 2, 3]
    assert version_of(home) == VERSION


def version_of(home: Path) -> int:
    raw = sqlite3.connect(home / "store.sqlite")
    (version,) = raw.execute("PRAGMA user_version").fetchone()
    raw.close()
    return int(version)


def test_a_newer_schema_and_other_files_are_refused(home: Path) -> None:
    raw = sqlite3.connect(home / "store.sqlite")
    raw.execute("PRAGMA user_version = 1000")
    raw.close()
    with pytest.raises(BadInput, match="newer version"):
        DeviceStore.open(home, SECRET)
    for suffix in ("-wal", "-shm"):
        (home / f"store.sqlite{suffix}").unlink(missing_ok=True)
    (home / "store.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(BadInput, match="not a store"):
        DeviceStore.open(home, SECRET)
    (home / "store.sqlite").unlink()
    raw = sqlite3.connect(home / "store.sqlite")
    raw.execute("CREATE TABLE cookies (value)")
    raw.close()
    with pytest.raises(BadInput, match="another program"):
        DeviceStore.open(home, SECRET)


def test_a_disk_that_takes_nothing_is_said(home: Path) -> None:
    with DeviceStore.open(home, SECRET) as store:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(EnvironmentMissing, match="full"):
            store.add([watched("alien", n) for n in range(1000)])
        assert len(store.events()) == 4
