"""Figures as text: a line each while it runs, and the page of the documents. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from bench.figure import Budget, Figure, Row
from bench.machine import Machine

NOT_MEASURED = "not measured in this run"
HEAD = ("What", "anden", "Beside it", "Ratio", "Budget", "")
ALIGN = ("---", "---:", "---:", "---:", "---:", "---")


def number(value: float) -> str:
    """Three digits, and no more than are there."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value < 0.1:  # two decimals would leave one digit
        return f"{value:.3g}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float], unit: str) -> str:
    """The median, and in brackets the lowest and the highest of several."""
    if not values:
        return ""
    middle = f"{number(median(values))} {unit}".strip()
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}..{number(max(values))})"


def allowed(budget: Budget | None, unit: str) -> str:
    """A budget in words."""
    if budget is None:
        return ""
    sign, bound = ("≥", budget.least) if budget.least is not None else ("≤", budget.most)
    assert bound is not None  # one of the two is given
    return f"{sign} {bound:g} ×" if budget.ratio else f"{sign} {bound:g} {unit}"


def verdict(figure: Figure) -> str:
    """✓ within its budget, ✗ not; empty without one."""
    return {True: "✓", False: "✗", None: ""}[figure.judged]


def cells(figure: Figure) -> tuple[str, ...]:
    """A figure as the table's columns."""
    row = figure.row
    ours = f"not measured: {figure.failed}" if figure.failed else spread(figure.ours, row.unit)
    theirs = f"does not run here: {figure.absent}" if figure.absent else spread(figure.theirs, row.unit)
    ratio = f"{number(figure.ratio)} ×" if figure.ratio is not None else ""
    return row.what, ours, theirs, ratio, allowed(row.budget, row.unit), verdict(figure)


def line(figure: Figure) -> str:
    """A figure for the terminal."""
    what, ours, theirs, ratio, budget, holds = cells(figure)
    beside = f"  beside {theirs}" if theirs else ""
    parts = [f"{holds or ' '} {what}: {ours}{beside}", ratio, f"budget {budget}" if budget else ""]
    text = "  ".join(part for part in parts if part)
    return f"{text}\n    {figure.note}" if figure.note else text


def page(machine: Machine, date: str, rounds: int, rows: Iterable[Row], figures: Mapping[str, Figure]) -> str:
    """A page of the documents. date: in words, as it shall stand there. figures: by their row's key."""
    found = [figures.get(row.key, Figure(row, failed=NOT_MEASURED)) for row in rows]
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m bench --write`; do not edit. Figures of one machine on one day: the ratios say more",
        "than the values. Every peer was measured in the same run, in turns with anden (A, B, A, B, …), so that what",
        "disturbs the machine disturbs both. A value is the median of the rounds, with the lowest and the highest; a",
        "ratio is the median of the rounds' own ratios. ✓ within its budget, ✗ not. No check fails of anything here.",
        "",
        f"**Date:** {date}, {rounds} rounds",
        "",
        "**Machine:**",
        "",
        *(f"- {name}: {said}" for name, said in machine.facts),
        "",
        _row(HEAD),
        _row(ALIGN),
        *(_row(cells(figure)) for figure in found),
        "",
        "## What stands beside what",
        "",
        *(f"- **{row.what}**: {' '.join(_said(figures.get(row.key), row))}" for row in (each.row for each in found)
          if row.peer or _noted(figures.get(row.key))),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _said(figure: Figure | None, row: Row) -> list[str]:
    beside = [f"beside {row.peer}."] if row.peer else []
    return [*beside, figure.note] if figure is not None and figure.note else beside


def _noted(figure: Figure | None) -> bool:
    return figure is not None and bool(figure.note)


def _row(parts: Iterable[str]) -> str:
    return "| " + " | ".join(part.replace("|", "\\|") for part in parts) + " |"
