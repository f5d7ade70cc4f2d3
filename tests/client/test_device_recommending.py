"""Lists on the device: the model's own scores, its own reasons, the person's own choices, at once."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from penchant.cli import main
from penchant.client.device_store import DeviceStore
from penchant.client.exporting import adapt
from penchant.client.participation import plan_of
from penchant.client.preferences import Preferences
from penchant.client.reasons import EVERYONE
from penchant.client.recommending import Recommender
from penchant.client.sealing import KeyFile
from penchant.errors import BadInput
from penchant.interest import score_people
from penchant.strategies.invitation import Invitation
from penchant.types import F32, Event, Kind

Receive = Callable[[int], F32]


@pytest.fixture
def store(home: Path, receive: Receive, key_file: KeyFile) -> Iterator[DeviceStore]:
    receive(1)
    with DeviceStore.open(home, key_file) as opened:
        yield opened


def item(invitation: Invitation, title: str) -> str:
    return invitation.catalogue.item_ids[invitation.catalogue.titles.index(title)]


def watch(store: DeviceStore, invitation: Invitation, *titles: str, kind: Kind = Kind.VIEW) -> None:
    store.add([Event(item(invitation, title), kind, 100) for title in titles])


def test_the_list_is_the_models_own_less_what_was_seen(
    store: DeviceStore, invitation: Invitation, receive: Receive
) -> None:
    watch(store, invitation, "Alien", "Psycho")
    plan = plan_of(invitation, epsilon_limit=None)
    plan.shared.write(plan.model, receive(1))
    scores = score_people(
        plan.model, [store.history(invitation.catalogue.index)], adapters=None, max_history=10
    )[0]
    lines = Recommender.of(store).suggest(20)
    titles = invitation.catalogue.titles
    assert {line.title for line in lines} == set(titles) - {"Alien", "Psycho"}
    np.testing.assert_allclose(
        [line.score for line in lines],
        sorted(scores[titles.index(line.title)] for line in lines)[::-1],
        atol=1e-5,
    )


def test_a_new_event_changes_the_list_at_once(store: DeviceStore, invitation: Invitation) -> None:
    recommender = Recommender.of(store)
    watch(store, invitation, "Casablanca")
    assert recommender.suggest(1)[0].title == "Sense and Sensibility"
    took = []
    for title in ("Aladdin", "Star Wars", "Godfather, The"):
        start = time.perf_counter()
        watch(store, invitation, title)
        recommender.suggest(3)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1
    assert {line.title for line in recommender.suggest(20)}.isdisjoint({"Aladdin", "Star Wars"})
    watch(store, invitation, "Toy Story")
    assert recommender.suggest(1)[0].title == "Lion King, The"


def test_reasons_name_the_events_that_the_score_comes_from(
    store: DeviceStore, invitation: Invitation
) -> None:
    watch(store, invitation, "Casablanca")
    watch(store, invitation, "Alien", kind=Kind.PURCHASE)
    recommender = Recommender.of(store)
    line = recommender.explain(item(invitation, "Blade Runner"))
    assert line.why[0].text == "you bought Alien"
    assert line.why[0].item_id == item(invitation, "Alien")
    assert (
        recommender.explain(item(invitation, "Sense and Sensibility")).why[0].text == "you viewed Casablanca"
    )
    assert all(0 < one.share <= 1 for line in recommender.suggest(5) for one in line.why)
    assert all(sum(one.share for one in line.why) <= 1 + 1e-6 for line in recommender.suggest(5))
    with pytest.raises(BadInput, match="not in the catalogue"):
        recommender.explain("nothing")


def test_without_events_no_event_is_a_reason(store: DeviceStore) -> None:
    lines = Recommender.of(store).suggest(3)
    assert len(lines) == 3
    assert all(not one.text.startswith("you ") for line in lines for one in line.why)
    assert any(one.text == EVERYONE for line in lines for one in line.why)


def test_blocked_categories_and_age_limits_are_respected(store: DeviceStore, invitation: Invitation) -> None:
    watch(store, invitation, "Alien")
    recommender = Recommender.of(store)
    every = {line.title for line in recommender.suggest(20)}
    store.set_preferences(Preferences(blocked_categories=frozenset({"Horror", "Film-Noir"})))
    assert every - {line.title for line in recommender.suggest(20)} == {"Psycho", "Blade Runner"}
    store.set_preferences(Preferences(age=11, age_limits={"Crime": 16, "Drama": 11}))
    assert every - {line.title for line in recommender.suggest(20)} == {
        "Godfather, The",
        "Pulp Fiction",
        "Fargo",
    }


def test_kinds_that_do_not_count_change_nothing_but_stay_seen(
    store: DeviceStore, invitation: Invitation
) -> None:
    store.set_preferences(Preferences(kinds=frozenset({Kind.PURCHASE})))
    recommender = Recommender.of(store)
    before = recommender.suggest(20)
    watch(store, invitation, "Alien")
    after = recommender.suggest(20)
    assert [line.score for line in after] == [line.score for line in before if line.title != "Alien"]


def test_a_newer_head_is_taken_up(
    home: Path, store: DeviceStore, invitation: Invitation, receive: Receive
) -> None:
    watch(store, invitation, "Alien")
    old = Recommender.of(store).suggest(5)
    written = (home / "score.onnx").stat().st_mtime_ns
    assert Recommender.of(store).suggest(5) == old
    assert (home / "score.onnx").stat().st_mtime_ns == written
    receive(2)
    assert [line.score for line in Recommender.of(store).suggest(5)] != [line.score for line in old]


def test_the_adapter_adapts_with_consent_alone_and_changes_the_list(
    store: DeviceStore, invitation: Invitation
) -> None:
    watch(store, invitation, "Alien", "Blade Runner", "Star Wars")
    recommender = Recommender.of(store)
    before = [line.score for line in recommender.suggest(5)]
    assert not adapt(store)
    store.set_consent(True)
    assert adapt(store)
    assert [line.score for line in recommender.suggest(5)] != before
    assert store.personal(np.zeros(1, np.float32), belongs_to="x").load().charges == ()


def test_recommending_loads_neither_pytorch_nor_flower(
    home: Path, store: DeviceStore, invitation: Invitation
) -> None:
    watch(store, invitation, "Alien")
    Recommender.of(store)
    code = (
        "import sys; from penchant.cli import main\n"
        f"assert main(['client', 'recommend', {str(home)!r}]) == 0\n"
        "print([name for name in ('torch', 'flwr', 'scipy', 'polars', 'onnx', 'plotly') if name in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.splitlines()[-1] == "[]"


def test_the_command_line_from_a_file_of_events_to_a_list(
    home: Path,
    receive: Receive,
    tmp_path: Path,
    key_file: KeyFile,
    capsys: pytest.CaptureFixture[str],
    invitation: Invitation,
) -> None:
    receive(1)
    rows = [f"me,{item(invitation, title)},{n}" for n, title in enumerate(("Fargo", "Alien", "Psycho"))]
    file = tmp_path / "interactions.csv"
    file.write_text("\n".join(["user_id,item_id,timestamp", *rows, f"you,{item(invitation, 'Aladdin')},3"]))
    ours = str(home)

    def told(*words: str) -> dict[str, object]:
        capsys.readouterr()
        assert main(["client", *words, "--format", "json", "--quiet"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    assert main(["client", "import", ours, str(file)]) == 2
    assert "2 people are in it" in capsys.readouterr().err
    assert told("import", ours, str(file), "--user", "me") == {"new": 3, "known": 0}
    assert told("import", ours, str(file), "--user", "me") == {"new": 0, "known": 3}
    chosen = told("prefer", ours, "--age", "12", "--age-limit", "Crime=16", "--age-limit", "Film-Noir 18")
    assert chosen["age_limits"] == {"Crime": 16, "Film-Noir": 18}
    assert main(["client", "prefer", ours, "--age-limit", "Crime"]) == 2
    assert "Crime=16" in capsys.readouterr().err
    assert told("record", ours, item(invitation, "Aladdin"), "--kind", "like") == {"event": 4, "events": 4}
    lines = told("recommend", ours, "-k", "2", "--why")["items"]
    assert isinstance(lines, list)
    assert lines[0]["title"] in ("Lion King, The", "Toy Story")
    assert lines[0]["why"][0]["text"] == "you liked Aladdin"
    with DeviceStore.open(home, key_file) as store:
        names = [invitation.catalogue.titles[i] for i in store.history(invitation.catalogue.index)]
    assert names == ["Fargo", "Alien", "Psycho", "Aladdin"]


def test_a_device_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    with (
        DeviceStore.create(tmp_path / "device", KeyFile(b"k" * 32)) as store,
        pytest.raises(BadInput, match="enroll the device"),
    ):
        Recommender.of(store)
