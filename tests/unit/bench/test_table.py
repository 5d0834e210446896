"""The benchmarks' page: every budget of the issue has its row, and the page says of what and when it speaks."""

import re
from pathlib import Path

import pytest
from bench.figure import Budget, Figure, Row, alternate
from bench.machine import Machine
from bench.subjects import PAGES, SUBJECTS, rows
from bench.table import cells, line, page

DOCS = Path(__file__).parents[3] / "docs"
ASKED = {
    "starts/small": Budget(most=1.3),
    "starts/large": Budget(most=1.3),
    "balancer/saturated": Budget(least=0.85),
    "balancer/p99": Budget(most=1.3),
    "up/example": Budget(most=3, ratio=False),
    "up/compose": None,
    "planning/plan": Budget(most=1, ratio=False),
    "planning/linear": Budget(most=1.3),
    "planning/check": Budget(most=0.3, ratio=False),
    "firewall/instance": Budget(most=1.5),
    "render/300": Budget(most=1 / 80),
    "render/memory": Budget(most=0.1),
    "render/linear": Budget(most=1.3),
    "render/gate": Budget(most=3, ratio=False),
    "memory/control": Budget(most=120, ratio=False),
    "memory/supervisor": Budget(most=80, ratio=False),
    "memory/fifty": Budget(most=5, ratio=False),
    "memory/light": Budget(most=5, ratio=False),
}
MACHINE = Machine((("system", "a system"), ("processor", "a processor, 2 cores"), ("load before the run", "0.1")))
ROW = Row("it/starts", "It starts", "ms", Budget(most=1.3), "somebody else")


def test_every_budget_that_was_agreed_has_its_row() -> None:
    found = {row.key: row.budget for row in rows()}
    assert {key: found.get(key) for key in ASKED} == ASKED


def test_rows_belong_to_their_subject_and_are_named_once() -> None:
    keys = [row.key for row in rows()]
    assert len(set(keys)) == len(keys)
    for subject in SUBJECTS:
        assert all(row.key.startswith(f"{subject.name}/") for row in subject.rows)


@pytest.mark.parametrize("page_name", PAGES)
def test_a_page_in_the_documents_has_every_row_its_machine_and_its_date(page_name: str) -> None:
    text = (DOCS / page_name).read_text()
    assert [row.what for row in rows(page_name) if f"| {row.what} |" not in text] == []
    assert re.search(r"^\*\*Date:\*\* 20\d\d-\d\d-\d\d, \d+ rounds$", text, re.MULTILINE)
    for name in ("system", "processor", "memory", "control groups", "load before the run", "anden", "HAProxy"):
        assert re.search(rf"^- {name}: \S", text, re.MULTILINE), name


def test_a_page_lists_what_was_not_measured_and_who_does_not_run() -> None:
    away = Figure(ROW, (10.0,), absent="it is not installed")
    text = page(MACHINE, "2026-01-02", 7, (ROW, Row("it/stops", "It stops", "s")), {ROW.key: away})
    assert "| It starts | 10.0 ms | does not run here: it is not installed |  | ≤ 1.3 × |  |" in text
    assert "| It stops | not measured: not measured in this run |  |  |  |  |" in text
    assert "**Date:** 2026-01-02, 7 rounds" in text
    assert "- processor: a processor, 2 cores" in text
    assert "- **It starts**: beside somebody else." in text


def test_the_same_figures_are_the_same_page() -> None:
    figures = {ROW.key: Figure(ROW, (1.0, 2.0), (1.0, 1.0))}
    assert page(MACHINE, "2026-01-02", 2, (ROW,), figures) == page(MACHINE, "2026-01-02", 2, (ROW,), dict(figures))


LEAST = Row("a/b", "c", "/s", Budget(least=0.85))
OWN = Row("a/b", "c", "MB", Budget(most=80, ratio=False))


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (
            Figure(ROW, (12.0, 26.0, 10.0), (10.0, 10.0, 10.0)),
            ("12.0 ms (10.0..26.0)", "10.0 ms (10.0..10.0)", "1.20 ×", "≤ 1.3 ×", "✓"),
        ),
        (Figure(ROW, (14.0,), (10.0,)), ("14.0 ms", "10.0 ms", "1.40 ×", "≤ 1.3 ×", "✗")),
        (Figure(ROW, failed="no reason"), ("not measured: no reason", "", "", "≤ 1.3 ×", "")),
        (Figure(LEAST, (1500.0,), (1000.0,)), ("1,500 /s", "1,000 /s", "1.50 ×", "≥ 0.85 ×", "✓")),
        (Figure(OWN, (55.0, 90.0, 100.0)), ("90.0 MB (55.0..100)", "", "", "≤ 80 MB", "✗")),
    ],
)
def test_what_a_row_shows(figure: Figure, shown: tuple[str, ...]) -> None:
    assert cells(figure)[1:] == shown
    assert line(figure)[0] == (shown[-1] or " ")


def test_a_ratio_is_of_values_measured_one_after_the_other() -> None:
    """A machine that was ten times slower in one round does not spoil the ratio."""
    assert Figure(ROW, (10.0, 100.0, 11.0), (10.0, 100.0, 10.0)).ratio == 1.0


def test_measures_take_turns() -> None:
    turns: list[str] = []

    def one() -> float:
        turns.append("A")
        return 1.0

    def other() -> float:
        turns.append("B")
        return 2.0

    assert alternate(2, one, other) == [(1.0, 1.0), (2.0, 2.0)]
    assert turns == ["A", "B", "A", "B"]
