"""report.json: follows its schema, prices the ledger again, and says what nobody may overlook."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import polars as pl
import pytest

import penchant.report
from penchant.errors import BadInput, CheckFailed
from penchant.report import epsilon_in_full, write_report
from penchant.rundir import RunDirectory, read_json, write_json
from penchant.types import Unit

MakeRun = Callable[..., RunDirectory]
SCHEMA = read_json(Path(penchant.report.__file__).with_name("schema.json"))
KINDS: dict[str, dict[str, Any]] = {
    "none": {"unit": Unit.NONE},
    "user": {"unit": Unit.USER},
    "event": {"unit": Unit.EVENT},
    "sampled": {"rate": 0.1, "noise_multiplier": 1.0, "limit": None},
    "reproducible": {"reproducible": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_record_follows_the_published_schema(make_run: MakeRun, kind: str) -> None:
    run = make_run(**KINDS[kind])
    write_report(run)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(read_json(run.report_json_path))


def test_schema_refuses_an_epsilon_that_stands_alone(make_run: MakeRun) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    record = write_report(make_run())
    for missing in ("delta", "adjacency", "sampling", "unit", "epsilon_unamplified"):
        privacy = {key: value for key, value in record["privacy"].items() if key != missing}
        assert not validator.is_valid({**record, "privacy": privacy})
        assert not validator.is_valid({**record, "privacy": {**record["privacy"], missing: None}})


def test_epsilon_is_priced_from_the_ledger_not_copied(make_run: MakeRun) -> None:
    run = make_run(noise_multiplier=4.65, rounds=60)
    rows = run.read_metrics()
    run.metrics_path.write_text("".join(json.dumps({**row, "epsilon": 0.01}) + "\n" for row in rows))
    privacy = write_report(run)["privacy"]
    assert privacy["epsilon"] == pytest.approx(8.0, rel=0.01)
    assert privacy["cross_check"]["epsilon"] == pytest.approx(8.0, rel=0.02)
    assert privacy["releases"] == 60
    assert privacy["epsilon"] == privacy["epsilon_unamplified"]
    assert privacy["per_client"]["max"] == pytest.approx(privacy["epsilon"], rel=1e-3)


def test_epsilon_is_never_said_without_what_it_means(make_run: MakeRun) -> None:
    for kind in ("user", "event", "sampled"):
        record = write_report(make_run(kind, **KINDS[kind]))
        said = epsilon_in_full(record["privacy"])
        for needed in (
            f"per {record['privacy']['unit']}",
            "δ = 1e-05",
            "adjacency: ",
            "sampling: ",
            "amplification",
        ):
            assert needed in said
        assert said in record["summary"][1]


def test_sampling_is_credited_only_beside_the_figure_without_it(make_run: MakeRun) -> None:
    privacy = write_report(make_run(**KINDS["sampled"]))["privacy"]
    assert privacy["sampling"] == {"scheme": "poisson", "rate": 0.1, "amplification": True}
    assert privacy["epsilon"] < privacy["epsilon_unamplified"]
    assert f"{privacy['epsilon_unamplified']:.2f} without amplification" in epsilon_in_full(privacy)


def test_stamps(make_run: MakeRun) -> None:
    found = {
        kind: [s["code"] for s in write_report(make_run(kind, **KINDS[kind]))["stamps"]] for kind in KINDS
    }
    assert found["none"] == ["not-private"]
    assert found["reproducible"] == ["reproducible-noise"]
    assert found["user"] == found["event"] == found["sampled"] == []


def test_several_interactions_of_one_person_cost_more(make_run: MakeRun) -> None:
    privacy = write_report(make_run(unit=Unit.EVENT))["privacy"]
    one, five, twenty = (row["epsilon"] for row in privacy["several_interactions"])
    assert one == pytest.approx(privacy["epsilon"])
    assert five > 3 * one
    assert twenty > 3 * five
    assert any("person as a whole" in open_end for open_end in privacy["not_covered"])


def test_keys_that_others_build_on(make_run: MakeRun) -> None:
    record = write_report(make_run())
    keys = {"hr@10", "ndcg@10", "recall@10", "precision@10", "f1@10", "mrr", "coverage@10", "novelty@10"}
    assert record["accuracy"]["test"]["full"].keys() == keys
    assert record["baselines"]["ease"]["sampled99"].keys() == keys
    assert {"n", "value", "ci_low", "ci_high"} <= record["fairness"]["groups"][0].keys()
    assert {"unit", "adjacency", "epsilon", "delta", "mechanism", "sampling", "accountant"} <= record[
        "privacy"
    ].keys()
    assert record["cost"].keys() == {
        "client_updates",
        "seconds",
        "ms_per_client",
        "bytes_up",
        "bytes_down",
        "peak_mb",
    }


def test_people_add_up(make_run: MakeRun) -> None:
    people = write_report(make_run())["people"]
    adapter = people["adapter"]
    assert (
        adapter["better"] + adapter["same"] + adapter["worse"] + people["nothing_to_find"]
        == people["n"]
        == 240
    )
    shares = [row["share"] for row in people["within"]]
    assert shares == sorted(shares)
    assert people["within"][4] == {**people["within"][4], "k": 10}


def test_the_planted_gap_is_told_and_chance_is_not(make_run: MakeRun) -> None:
    fairness = write_report(make_run(people=943))["fairness"]
    verdicts = {gap["attribute"]: gap["verdict"] for gap in fairness["gaps"]}
    assert verdicts["gender"] == "gap"
    assert verdicts["age_band"] == "inconclusive"


def test_two_reports_of_one_run_are_the_same(make_run: MakeRun) -> None:
    run = make_run()
    write_report(run)
    first = run.report_json_path.read_bytes(), run.report_html_path.read_bytes()
    write_report(run)
    assert (run.report_json_path.read_bytes(), run.report_html_path.read_bytes()) == first


def test_no_limit_is_null_not_infinity(make_run: MakeRun) -> None:
    run = make_run(limit=None)
    rows = run.read_metrics()
    run.metrics_path.write_text(
        "".join(json.dumps({**row, "epsilon_limit": math.inf}) + "\n" for row in rows)
    )
    record = write_report(run)
    assert record["rounds"][0]["epsilon_limit"] is None
    assert "Infinity" not in run.report_json_path.read_text()


def test_runs_on_other_data_are_not_compared(make_run: MakeRun) -> None:
    run, other = make_run("one"), make_run("two", digest="f" * 64)
    with pytest.raises(BadInput, match=r"two.*same data"):
        write_report(run, compare=[other])
    assert not run.report_json_path.exists()


def test_unfinished_incomplete_and_broken_runs_are_refused(make_run: MakeRun) -> None:
    unfinished = make_run("unfinished")
    unfinished.evaluation_path.unlink()
    with pytest.raises(BadInput, match="--resume"):
        write_report(unfinished)

    incomplete = make_run("incomplete")
    write_json(incomplete.evaluation_path, {"test": {}})
    with pytest.raises(BadInput, match="incomplete"):
        write_report(incomplete)

    torn = make_run("torn")
    torn.people_path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(BadInput, match=re.escape(str(torn.people_path))):
        write_report(torn)

    broken = make_run("broken")
    broken.ledger_path.write_bytes(
        broken.ledger_path.read_bytes().replace(b'"noise_multiplier":1.6', b'"noise_multiplier":9.6')
    )
    with pytest.raises(CheckFailed):
        write_report(broken)

    missing = make_run("missing")
    missing.ledger_path.unlink()
    with pytest.raises(BadInput, match="ledger"):
        write_report(missing)


def test_people_without_known_groups_are_reported_by_activity(make_run: MakeRun) -> None:
    run = make_run()
    pl.read_parquet(run.people_path).drop("gender", "age_band", "occupation").write_parquet(run.people_path)
    attributes = {group["attribute"] for group in write_report(run)["fairness"]["groups"]}
    assert attributes == {"activity"}
