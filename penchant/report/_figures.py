"""The report's plots, as Plotly figures without colours: the page gives each role its colour, in light and dark."""

from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

Record = dict[str, Any]


def figures(report: Record) -> dict[str, Record]:
    """Plotly JSON by the name of the place on the page; a plot without data is left out."""
    made = {
        "accuracy": _accuracy(report["rounds"]),
        "epsilon": _epsilon(report["rounds"], report["privacy"]),
        "utility": _utility(report),
        "within": _within(report["people"]["within"]),
        **{f"groups-{name}": _groups(report["fairness"], name) for name in attributes(report)},
    }
    return {name: figure.to_plotly_json() for name, figure in made.items() if figure is not None}


def attributes(report: Record) -> list[str]:
    """Group attributes in the order of the record."""
    return list(dict.fromkeys(group["attribute"] for group in report["fairness"]["groups"]))


def _accuracy(rounds: Sequence[Record]) -> go.Figure | None:
    watched = [row for row in rounds if row["validation"]]
    if not watched:
        return None
    figure = go.Figure()
    for metric, role, dash in (("ndcg@10", "accent", "solid"), ("hr@10", "second", "dot")):
        values = [row["validation"][metric] for row in watched]
        figure.add_trace(_line([row["round"] for row in watched], values, metric.upper(), role, dash))
    return _titled(figure, x="round", y="validation, shared head alone (0 to 1)")


def _epsilon(rounds: Sequence[Record], privacy: Record) -> go.Figure | None:
    charged = [row for row in rounds if row["epsilon"] is not None]
    if not charged:
        return None
    figure, x = go.Figure(), [row["round"] for row in charged]
    figure.add_trace(_line(x, [row["epsilon"] for row in charged], "ε spent", "accent", "solid"))
    if privacy["sampling"]["amplification"]:
        unamplified = [row["epsilon_unamplified"] for row in charged]
        figure.add_trace(_line(x, unamplified, "ε without amplification", "second", "dot"))
    if privacy["epsilon_limit"] is not None:
        figure.add_trace(
            _line([x[0], x[-1]], [privacy["epsilon_limit"]] * 2, "limit", "danger", "dash", markers=False)
        )
    figure.update_yaxes(rangemode="tozero")
    return _titled(figure, x="round", y=f"ε per {privacy['unit']} at δ = {privacy['delta']:g}")


def _utility(report: Record) -> go.Figure | None:
    if not report["accuracy"]["test"]["full"]:
        return None
    rows = {escape(report["run"]): report["accuracy"]["test"]}
    rows |= {escape(other["run"]): other["test"] for other in report["comparison"]}
    references = {f"{escape(name)} (central)": figures for name, figures in report["baselines"].items()}
    figure = go.Figure()
    for chosen, role in ((rows, "accent"), (references, "muted")):
        values = [figures["full"].get("ndcg@10") for figures in chosen.values()]
        figure.add_trace(
            go.Bar(
                x=values,
                y=list(chosen),
                orientation="h",
                meta=role,
                text=[f"{value:.4f}" for value in values],
                textposition="auto",
                hovertemplate="%{y}: %{x:.4f}<extra></extra>",
                showlegend=False,
            )
        )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(barmode="overlay", height=90 + 38 * (len(rows) + len(references)))
    return _titled(figure, x="test NDCG@10 (0 to 1)", y=None)


def _within(within: Sequence[Record]) -> go.Figure | None:
    shown = [row for row in within if row["share"] is not None]
    if not shown:
        return None
    x, figure = [row["k"] for row in shown], go.Figure()
    figure.add_trace(_line(x, [100 * row["share"] for row in shown], "with adapter", "accent", "solid"))
    without = [100 * row["share_without_adapter"] for row in shown]
    figure.add_trace(_line(x, without, "shared head alone", "second", "dot"))
    figure.update_xaxes(type="log", tickvals=[1, 10, 100, 1000, 10000])
    return _titled(figure, x="length of the list", y="people whose item is in it (%)")


def _groups(fairness: Record, attribute: str) -> go.Figure:
    chosen = [group for group in fairness["groups"] if group["attribute"] == attribute]
    figure = go.Figure()
    for small, role in ((False, "accent"), (True, "muted")):
        rows = [group for group in chosen if group["too_small"] is small]
        if rows:
            figure.add_trace(_intervals(rows, role))
    figure.add_vline(x=fairness["mean"], line_dash="dot", line_width=1)
    figure.update_yaxes(
        autorange="reversed",
        automargin=True,
        categoryorder="array",
        categoryarray=[_label(group) for group in chosen],
    )
    figure.update_layout(height=100 + 26 * len(chosen), showlegend=False)
    figure.update_xaxes(rangemode="tozero")
    return _titled(figure, x="NDCG@10 (0 to 1); dotted: everybody", y=None)


def _intervals(rows: Sequence[Record], role: str) -> go.Scatter:
    known = role == "accent"
    return go.Scatter(
        x=[group["value"] for group in rows],
        y=[_label(group) for group in rows],
        mode="markers",
        meta=role,
        marker={"size": 9, "symbol": "circle" if known else "circle-open"},
        error_x={
            "array": [group["ci_high"] - group["value"] for group in rows],
            "arrayminus": [group["value"] - group["ci_low"] for group in rows],
            "thickness": 1.5,
        }
        if known
        else None,
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
    )


def _label(group: Record) -> str:
    return f"{escape(group['group'])} (n = {group['n']})"


def _line(
    x: Sequence[float], y: Sequence[float], name: str, role: str, dash: str, *, markers: bool = True
) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        meta=role,
        mode="lines+markers" if markers else "lines",
        line={"dash": dash, "width": 2.5},
    )


def _titled(figure: go.Figure, *, x: str, y: str | None) -> go.Figure:
    figure.update_layout(
        template="none",
        margin={"l": 60, "r": 16, "t": 8, "b": 52},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    figure.update_xaxes(title=x)
    figure.update_yaxes(title=y)
    return figure
