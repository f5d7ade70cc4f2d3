"""Images and compose file hold what they promise, as far as it can be told without an engine."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from penchant.cli import app
from penchant.client.probe import CONNECTION, alive
from tests.test_docs_commands import wrong

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(
    (ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8")
)
SCHEMA: Final = json.loads((Path(__file__).parent / "compose_spec.json").read_text(encoding="utf-8"))
"""Compose specification, as published with docker-compose 1.29.2 (Apache License 2.0)."""

ROLES: Final = ("server", "client", "simulation")


def stages() -> dict[str, str]:
    """The instructions of each stage, by its name."""
    text = re.sub(r"\\\n", " ", DOCKERFILE)
    parts = re.split(r"^FROM (\S+) AS (\S+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[2::3], parts[3::3], strict=True))


def command(stage: str) -> list[str]:
    (found,) = re.findall(r"^CMD (\[.*\])$", stages()[stage], re.MULTILINE)
    return [str(word) for word in json.loads(found)]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_runs_without_rights_and_says_how_it_is_looked_after(role: str) -> None:
    stage = stages()[role]
    assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["1000"]
    assert stage.index("pip install") < stage.index("USER 1000")
    assert "HEALTHCHECK" in stage
    assert "--constraint /constraints.txt" in stage


def test_the_base_is_pinned_to_a_patch_release() -> None:
    assert re.search(r"^ARG BASE=python:3\.\d+\.\d+-slim-[a-z]+$", DOCKERFILE, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+) AS", DOCKERFILE, re.MULTILINE)) == {"${BASE}", "base"}


@pytest.mark.parametrize("role", ["server", "client"])
def test_what_an_image_runs_is_a_command_that_exists(role: str) -> None:
    assert app is not None
    assert wrong(["penchant", *command(role)]) == set()


def test_the_compose_file_follows_its_schema() -> None:
    record = {key: value for key, value in COMPOSE.items() if not key.startswith("x-") and key != "name"}
    errors = [error.message for error in Draft7Validator(SCHEMA).iter_errors(record)]
    assert errors == []
    broken = {**record, "services": {"server": {"read_only": "perhaps"}}}
    assert list(Draft7Validator(SCHEMA).iter_errors(broken))


def test_every_service_is_hardened_and_reachable_from_this_machine_alone() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"server", "client-1", "client-2", "client-3"}
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert service["build"]["target"] in ROLES
    homes = [service["volumes"] for name, service in services.items() if name != "server"]
    assert len({json.dumps(home) for home in homes}) == 3, "two clients share one person's folder"


def test_the_client_s_probe_tells_a_live_client_from_a_stopped_and_a_silent_one(tmp_path: Path) -> None:
    assert not alive(tmp_path)
    (tmp_path / CONNECTION).write_text('{"phase": "waits"}')
    assert alive(tmp_path)
    (tmp_path / CONNECTION).write_text('{"phase": "stopped"}')
    assert not alive(tmp_path)
    (tmp_path / CONNECTION).write_text("torn")
    assert not alive(tmp_path)


def test_the_service_limits_what_a_client_may_use() -> None:
    unit = (ROOT / "docker" / "systemd" / "penchant-client@.service").read_text(encoding="utf-8")
    stated = dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"[A-Z]\w+=", line))
    assert {"CPUQuota", "MemoryMax", "TasksMax", "NoNewPrivileges", "ProtectSystem"} <= stated.keys()
    assert stated["User"] == "%i"
    words = stated["ExecStart"].removeprefix("/opt/penchant/bin/").split()
    assert wrong(words) == set()
