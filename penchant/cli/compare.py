"""`penchant compare`: finished runs on the same data in one table."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from penchant.cli._app import app
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run directories; the report of the last one shows all.")
    ],
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Print accuracy, privacy, group gaps and cost of runs in one table, beside the references."""
    from penchant.report import write_report
    from penchant.rundir import RunDirectory

    del debug
    directories = [RunDirectory.existing(run) for run in runs]
    reports = [write_report(d, compare=[o for o in directories if o is not d]) for d in directories]
    last = directories[-1].report_html_path
    Output(fmt, quiet=quiet).result({"runs": reports, "html": str(last)}, _table(reports, str(last)))


def _table(reports: list[dict[str, Any]], page: str) -> Table:
    table = Table(
        title="Test items, ranked among the whole catalogue",
        caption=f"Gaps: best group less worst, NDCG@10, 95% interval; * more than chance.\n{page}",
        caption_justify="left",
    )
    for column in ("run", "HR@10", "NDCG@10", "privacy", "gaps between groups", "cost"):
        table.add_column(column, justify="right" if "@" in column else "left")
    for report in reports:
        accuracy = report["accuracy"]["test"]["full"]
        table.add_row(
            report["run"],
            *_figures(accuracy),
            _privacy(report["privacy"]),
            _gaps(report),
            _cost(report["cost"]),
        )
    table.add_section()
    for name, accuracy in reports[-1]["baselines"].items():
        table.add_row(f"{name} (centralised)", *_figures(accuracy["full"]), "none", "", "")
    return table


def _figures(accuracy: dict[str, float]) -> list[str]:
    return [f"{accuracy[key]:.4f}" for key in ("hr@10", "ndcg@10")]


def _privacy(privacy: dict[str, Any]) -> str:
    if privacy["unit"] == "none":
        return "NOT PRIVATE"
    return (
        f"ε = {privacy['epsilon']:.2f} for one {privacy['unit']}\nδ = {privacy['delta']:g}, "
        f"noise at the {privacy['mechanism']['noise_at']}\nnot amplified: {privacy['epsilon_unamplified']:.2f}"
    )


def _gaps(report: dict[str, Any]) -> str:
    return "\n".join(
        f"{gap['attribute']} {gap['value']:.3f} ({gap['ci_low']:.3f} to {gap['ci_high']:.3f})"
        + ("*" if gap["verdict"] == "gap" else "")
        for gap in report["fairness"]["gaps"]
    )


def _cost(cost: dict[str, Any]) -> str:
    return (
        f"{cost['seconds']:.0f} s, {cost['client_updates']:,} updates\n{cost['ms_per_client']:.2f} ms each\n"
        f"{cost['bytes_up'] / 1e6:.0f} MB up"
    )
