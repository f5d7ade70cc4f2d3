"""Settings of a deployment that would promise what it cannot keep are refused, by name."""

import json
import re
from pathlib import Path

import pytest

from penchant.errors import BadInput
from penchant.server.settings import ServerSettings, validated


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"privacy": {"reproducible_noise": True}}, "protect nobody"),
        ({"federation": {"sampling": "poisson", "cohort": 5}}, "secret draw"),
        ({"privacy": {"unit": "event"}, "training": {"local_steps": 2}}, "local_steps"),
        ({"privacy": {"epsilon": None, "noise_multiplier": 1.0}}, "epsilon must be given"),
        ({"server": {"min_clients": 5, "population": 4}}, "min_clients"),
        ({"company": {"items": 9}, "privacy": {"noise_at": "client"}}, "where the server adds the noise"),
        ({"federation": {"rounds": 0}}, "learns nothing"),
        ({"server": {"pott": 1}}, "server.pott"),
        ({"server": {"port": 70000}}, "server.port"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        validated(wrong, source="server.toml")
    assert str(refused.value).startswith("server.toml: ")


def test_it_listens_on_loopback_unless_it_is_said_otherwise() -> None:
    assert validated({}, source="").server.host == "127.0.0.1"


def test_every_setting_of_a_server_is_documented_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `server\.([a-z_]+)` \| `([^`]+)` \| \S", page, re.MULTILINE))
    assert rows == {
        name: json.dumps(value) for name, value in ServerSettings().model_dump(mode="json").items()
    }
