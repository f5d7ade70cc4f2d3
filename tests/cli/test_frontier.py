"""`penchant frontier`: one picture from many runs, which are kept."""

import json
import re
from pathlib import Path

import pytest

from penchant.cli import main
from penchant.report import draw_frontier

RECIPE = """
[encoder]
whiten_rank = 8
[model]
width = 4
[federation]
rounds = 2
[privacy]
delta = 0.01
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    lines = [f"u{u},i{(u + 3 * day) % 10},{1_000_000 + day}" for u in range(20) for day in range(6)]
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    items = [f"i{i},Film {i}" for i in range(10)]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *items]) + "\n")
    path = folder / "recipe.toml"
    path.write_text(f'data = "{folder}"\n' + RECIPE)
    return path


def test_every_epsilon_has_every_seed_and_a_second_call_trains_nothing(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "frontier"
    call = ["frontier", str(recipe), "--epsilons", "none,4", "--seeds", "2", "--out", str(out), "--quiet"]
    assert main([*call, "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert json.loads((out / "frontier.json").read_text()) == record
    assert [point["epsilon"] for point in record["points"]] == [None, 4.0]
    for point in record["points"]:
        assert point["seeds"] == [0, 1]
        values = point["ndcg@10"]["values"]
        assert point["ndcg@10"]["mean"] == pytest.approx(sum(values) / 2)
        assert point["ndcg@10"]["deviation"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert record["baselines"].keys() == {"popularity", "ease"}
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "frontier.svg").read_text()
    trained = {path: path.stat().st_mtime_ns for path in out.glob("*/evaluation.json")}
    assert len(trained) == 4
    assert main(call) == 0
    assert trained == {path: path.stat().st_mtime_ns for path in out.glob("*/evaluation.json")}
    assert main([*call, "--set", "model.width=5"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_without_any_epsilon_no_axis_speaks_of_one_and_lines_fill_the_picture(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "frontier"
    call = ["frontier", str(recipe), "--epsilons", "none", "--seeds", "1", "--out", str(out), "--quiet"]
    assert main(call) == 0
    assert "ε of one" not in capsys.readouterr().out
    record = json.loads((out / "frontier.json").read_text())
    record["baselines"] = {"popularity": 0.02}
    record["points"][0]["ndcg@10"]["mean"] = 0.13
    draw_frontier(record, [out / "low.svg"])
    texts = re.findall("<!-- (.+) -->", (out / "low.svg").read_text())  # how matplotlib names what it draws
    assert "ε of one" not in " ".join(texts)
    assert max(float(text) for text in texts if re.fullmatch(r"\d\.\d+", text)) < 0.15


@pytest.mark.parametrize("wrong", ["none,many", "-1", "0", ""])
def test_an_epsilon_that_is_none_is_refused(
    wrong: str, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["frontier", str(recipe), f"--epsilons={wrong}"]) == 2
    assert "neither" in capsys.readouterr().err
