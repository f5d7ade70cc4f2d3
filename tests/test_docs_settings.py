"""Every setting is documented with its default, and no document shows one that does not exist."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest

from penchant.baselines import BASELINES, changed
from penchant.config import Settings
from penchant.server.settings import DeploymentSettings
from penchant.simulation.settings import RunSettings, load_settings

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES: Final = sorted((ROOT / "recipes").glob("*.toml"))


def settings(values: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted key, and its value."""
    for name in type(values).model_fields:
        value = getattr(values, name)
        if isinstance(value, Settings):
            yield from settings(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def written(value: Any) -> str:
    """A default as a page shows it."""
    return json.dumps(value.value if isinstance(value, Enum) else value)


DEFAULTS: Final = {key: written(value) for key, value in settings(RunSettings())}
DEPLOYED: Final = {key for key, _ in settings(DeploymentSettings())}
OF_BASELINES: Final = {field.name for baseline in BASELINES.values() for field in fields(baseline)}


def rows(page: str) -> dict[str, str]:
    """Setting -> default, as the page's tables say."""
    return dict(re.findall(r"^\| `([a-z_.]+)` \| `([^`]+)` \| \S", page, re.MULTILINE))


def test_every_setting_has_its_row_with_the_true_default_and_no_row_lacks_its_setting() -> None:
    assert rows(PAGE) == DEFAULTS


def test_every_field_explains_itself() -> None:
    def unexplained(model: type[Settings]) -> Iterator[str]:
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Settings):
                yield from unexplained(kind)
            elif not field.description:
                yield f"{model.__name__}.{name}"

    assert list(unexplained(RunSettings)) == []


def test_a_missing_row_and_a_stale_default_are_noticed() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `model.width` |"))
    assert rows(PAGE.replace(row, "")).keys() == DEFAULTS.keys() - {"model.width"}
    assert rows(PAGE.replace(row, row.replace("`32`", "`33`"))) != DEFAULTS


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_every_recipe_loads_and_is_listed(recipe: Path) -> None:
    load_settings(recipe, {})
    assert f"](../recipes/{recipe.name})" in PAGE


def test_the_recipes_that_the_page_shows_load(tmp_path: Path) -> None:
    shown = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    for text in shown:
        recipe = tmp_path / "shown.toml"
        recipe.write_text(text, encoding="utf-8")
        load_settings(recipe, {})


def test_settings_that_pages_assign_exist() -> None:
    for page in sorted((*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))):
        assigned = set(re.findall(r"--set ([a-z_.]+)=", page.read_text(encoding="utf-8")))
        assert assigned - {"key"} <= DEFAULTS.keys() | DEPLOYED | OF_BASELINES, page.name


def test_baselines_take_what_pages_set() -> None:
    commands = [
        line
        for page in (ROOT / "docs").glob("*.md")
        for line in re.findall(r"penchant baselines [^`\n]*--set [^`\n]*", page.read_text(encoding="utf-8"))
    ]
    assert commands
    for command in commands:
        assigned = dict(re.findall(r"--set ([a-z_]+)=(\S+)", command))
        changed(BASELINES[re.findall(r"--only ([a-z_]+)", command)[0]], assigned)
