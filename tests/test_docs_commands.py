"""Every command and option is documented, and no document shows one that does not exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
import typer

from penchant.cli import app
from penchant.errors import BudgetExceeded, CheckFailed, EnvironmentMissing, PenchantError

ROOT: Final = Path(__file__).parents[1]
SHARED: Final = {"--format", "--quiet", "--debug", "--help"}
"""Options of every command, documented once at the top."""


def commands(group: click.Group | None = None, name: str = "penchant") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    if group is None:
        top = typer.main.get_command(app)
        assert isinstance(top, click.Group)
        group = top
    for child, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {child}")
        else:
            yield f"{name} {child}", command


COMMANDS: Final = dict(commands())


def options(command: click.Command) -> set[str]:
    """The long forms of a command's options; the short form where there is no long one."""
    declared = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {max(option.opts, key=len) for option in declared}


def accepted(command: click.Command) -> set[str]:
    """All that the command line takes: short forms and `--no-…` too."""
    return {
        opt for parameter in command.params for opt in (*parameter.opts, *parameter.secondary_opts)
    } | SHARED


def sections(page: str) -> dict[str, str]:
    """The text under each heading that names a command."""
    parts = re.split(r"^## (penchant [a-z -]+)$", page, flags=re.MULTILINE)
    assert len(set(parts[1::2])) == len(parts[1::2]), "a command is documented twice"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


PAGE: Final = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_every_command_has_its_section_and_no_section_lacks_its_command() -> None:
    assert sections(PAGE).keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    undocumented = {
        option for option in options(COMMANDS[name]) - SHARED if f"`{option}`" not in sections(PAGE)[name]
    }
    assert undocumented == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_shared_options_and_explains_itself(name: str) -> None:
    assert SHARED - {"--help"} <= options(COMMANDS[name])
    assert COMMANDS[name].help


def test_every_exit_code_is_documented() -> None:
    codes = {
        0,
        *(error.exit_code for error in (PenchantError, CheckFailed, BudgetExceeded, EnvironmentMissing)),
    }
    assert {int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)} == codes


def test_every_environment_variable_is_documented() -> None:
    packages = ("penchant", "client", "privacy", "server", "simulation", "strategies")
    code = [file.read_text(encoding="utf-8") for name in packages for file in (ROOT / name).rglob("*.py")]
    used = {name for text in code for name in re.findall(r"\bPENCHANT_[A-Z_]+", text)}
    assert {name for name in used if f"`{name}`" not in PAGE} == set()


def shown_commands(page: str) -> Iterator[list[str]]:
    """Words of each `penchant …` line in the page's code blocks; usage lines with alternatives are left out."""
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = line.removeprefix("$ ").removeprefix(".venv/bin/")
            if words.startswith("penchant ") and not re.search(r"[\[|…]", words):
                yield shlex.split(words.partition("   ")[0], comments=True)


def wrong(words: list[str]) -> set[str]:
    """What a shown command line says that the command line would not take."""
    name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in COMMANDS), None)
    if name is None:
        return {" ".join(words)}
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return {f"{name} {option}" for option in given - accepted(COMMANDS[name])}


PAGES: Final = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_show_only_what_exists(page: Path) -> None:
    shown = list(shown_commands(page.read_text(encoding="utf-8")))
    assert [fault for words in shown for fault in wrong(words)] == []


def test_every_make_target_that_a_page_names_exists_and_explains_itself() -> None:
    explained = set(
        re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for page in PAGES:
        named = set(
            re.findall(r"^\$ make ([a-z-]+)|`make ([a-z-]+)`", page.read_text(encoding="utf-8"), re.MULTILINE)
        )
        assert {"".join(pair) for pair in named} <= explained, page


def test_a_wrong_page_is_noticed() -> None:
    page = (
        "```console\n$ penchant doctor --fast -q\npenchant fly  # away\n.venv/bin/penchant data list\n```\n"
    )
    assert [wrong(words) for words in shown_commands(page)] == [
        {"penchant doctor --fast"},
        {"penchant fly"},
        set(),
    ]
