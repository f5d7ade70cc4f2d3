"""Run a simulation with a progress bar, and show what came of it."""

from pathlib import Path
from typing import Any

from rich.table import Table

from penchant.cli._output import Output
from penchant.report import write_report
from penchant.rundir import RunDirectory, read_json
from penchant.simulation.run import Watch, simulate
from penchant.simulation.settings import RunSettings


def run_with_progress(settings: RunSettings, out: Path, *, resume: bool, output: Output) -> dict[str, Any]:
    """Simulate, write the report, and return the summary that the command prints."""
    with output.steps() as step:
        encoded = step("items read by the language model", None)
        trained = step(f"rounds, privacy unit {settings.privacy.unit}", settings.federation.rounds)
        watch = Watch(
            encoding=lambda items: encoded(items),
            round=lambda row: trained(note=_note(row)),
            counted=lambda row: output.say(
                f"Counted {row['what']} of {row['clients']:,} people in {row['seconds']:.0f} s."
            ),
            measuring=lambda: output.say("Training is done; measuring on the held-out items."),
        )
        run = simulate(settings, out, resume=resume, watch=watch)
    return summary(run, write_report(run))


def summary(run: RunDirectory, report: dict[str, Any]) -> dict[str, Any]:
    """Accuracy, privacy and cost of a finished run. report: of the run, where all that was released is priced."""
    spent = report["privacy"]
    settings, accuracy = run.read_settings(), read_json(run.evaluation_path)
    return {
        "run": str(run.root),
        "report": str(run.report_html_path),
        "accuracy": {"test": accuracy["test"], "shared_only": accuracy["shared_only"]},
        "baselines": accuracy["baselines"],
        "privacy": {
            **settings["privacy"],
            "epsilon": spent["epsilon"],
            "epsilon_unamplified": spent["epsilon_unamplified"],
        },
        "stamps": [stamp["title"] for stamp in report["stamps"]],
        "cost": settings["cost"],
    }


def shown(record: dict[str, Any]) -> Table:
    """The summary as a table for people."""
    learned = "ZERO-SHOT" not in record["stamps"]
    words = privacy_in_words(record["privacy"]) if learned else "nothing was learned from these people"
    table = Table(title=f"{record['run']}: {words}")
    table.add_column("full ranking, test items")
    for column in ("HR@10", "NDCG@10"):
        table.add_column(column, justify="right")
    rows = {
        "Penchant": record["accuracy"]["test"],
        "Penchant, shared head alone": record["accuracy"]["shared_only"],
        **record["baselines"],
    }
    for name, accuracy in rows.items():
        table.add_row(name, f"{accuracy['full']['hr@10']:.4f}", f"{accuracy['full']['ndcg@10']:.4f}")
    cost = record["cost"]
    table.caption = (
        f"{cost['client_updates']:,} client updates in {cost['seconds']:.0f} s ({cost['ms_per_client']:.2f} ms each), "
        f"{cost['bytes_up'] / 1e6:.1f} MB up, peak memory {cost['peak_mb']:.0f} MB\n{record['report']}"
    )
    return table


def privacy_in_words(privacy: dict[str, Any]) -> str:
    """Epsilon with everything that must stand beside it."""
    if privacy["unit"] == "none":
        return "NOT PRIVATE"
    stamp = "; the noise is reproducible and protects nobody" if privacy["reproducible_noise"] else ""
    amplified = (
        ""
        if privacy["sampling_rate"] is None
        else f" ({privacy['epsilon_unamplified']:.2f} without amplification)"
    )
    return (
        f"ε = {privacy['epsilon']:.2f}{amplified} for one {privacy['unit']}, δ = {privacy['delta']:g}, "
        f"noise at the {privacy['noise_at']}, sampling {privacy['sampling']}{stamp}"
    )


def _note(row: dict[str, Any]) -> str:
    parts = [] if row["epsilon"] is None else [f"ε {row['epsilon']:.2f}"]
    if row["validation"]:
        parts.append(f"validation NDCG@10 {row['validation']['ndcg@10']:.4f}")
    parts.append(f"{row['clients'] / max(row['seconds'], 1e-9):,.0f} clients/s")
    return "  ".join(parts)
