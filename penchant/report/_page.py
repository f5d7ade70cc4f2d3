"""report.html: one file that needs no network, made from report.json alone."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from penchant.report._figures import attributes, figures
from penchant.report._words import candidates, epsilon_in_full, percent

_HERE: Final = Path(__file__).parent
_METRICS: Final = (
    "hr@10",
    "ndcg@10",
    "recall@10",
    "precision@10",
    "f1@10",
    "mrr",
    "coverage@10",
    "novelty@10",
)


def page(report: dict[str, Any]) -> str:
    """The whole page; everything in the record is escaped, scripts and styles are inlined once."""
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters.update(figure4=_figure, percent=percent, epsilon_in_full=epsilon_in_full)
    return environment.get_template("page.html").render(
        report=report,
        candidates=candidates(report),
        metrics=_METRICS,
        attributes=attributes(report),
        figures=figures(report),
        style=_inlined("page.css"),
        script=_inlined("page.js"),
        plotly=Markup(get_plotlyjs()),
    )


def _inlined(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _figure(value: float | None, digits: int = 4) -> str:
    return "n/a" if value is None else f"{value:,.{digits}f}"
