"""`anden drill`, on the simulated engine."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.cli.conftest import Run

from anden.cli.completion import zones
from anden.cli.main import group
from anden.cli.render.drill import bars, ms
from anden.model import codec
from anden.model.drill import DrillReport
from anden.model.report import StatusReport

ON = ("--on", "simulated")
THERE = ("-e", "production", *ON)


@pytest.fixture
def up(run: Run) -> Run:
    """The shop's production runs, in two zones."""
    done = run("up", *THERE)
    assert done.code == 0, done.err
    return run


def test_a_zone_fails_and_the_report_is_printed_and_kept(up: Run, tmp_path: Path) -> None:
    also = tmp_path / "reports"
    done = up("drill", "zone", "b", *THERE, "--yes", "--for", "10", "--report", str(also))
    assert done.code == 0, done.err
    assert done.out.startswith("shop/production, simulated: drill zone b, 10 s")
    assert "0 after one retry" in done.out
    assert "✓ everything serves as before" in done.out
    folders = re.findall(r"kept: (.*)/[^/]*-zone-b\.\{txt,json,svg\}", done.err)
    assert folders == [str(tmp_path / "state" / "shop" / "simulated-drills"), str(also)]
    for folder in map(Path, folders):
        assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".svg", ".txt"]
        (text,) = folder.glob("*.txt")
        assert text.read_text() == done.out
        (data,) = folder.glob("*.json")
        assert codec.from_json(DrillReport, data.read_text()).settled


def test_json_has_the_figures(up: Run) -> None:
    report = up("drill", "kill", "web", *THERE, "--yes", "--for", "2", "--at-rate", "50", "--json").json
    assert report["requests"] >= 350
    assert report["failed"] == report["failed_after_retry"] == 0
    assert 0 <= report["detect_s"] <= report["recover_s"]
    assert report["hit"] == "web-1"
    assert {"latency", "kinds", "timeline", "phases", "drill"} <= set(report)


def test_a_line_a_second_where_there_is_no_terminal(up: Run) -> None:
    done = up("drill", "supervisor", *THERE, "--yes", "--for", "3", "--at-rate", "10")
    lines = [line for line in done.err.splitlines() if "answered" in line]
    assert 8 <= len(lines) <= 12
    assert "\x1b" not in done.err
    assert [line.split()[1] for line in lines] == sorted((line.split()[1] for line in lines), key=_PHASES.index)


_PHASES = ["before", "fault", "after"]


def test_without_a_load_of_ours(up: Run) -> None:
    done = up("drill", "zone", "a", *THERE, "--yes", "--for", "3", "--at-rate", "0", "--json")
    assert done.code == 0
    assert not done.json["loaded"]
    assert done.json["requests"] == 0
    assert done.json["detect_s"] is not None


def test_production_is_asked_about_first(up: Run) -> None:
    refused = up("drill", "balancer", *THERE, "--no-input")
    assert refused.code == 1
    assert "Drill balancer in shop/production, simulated: a process of it is killed, 20 s" in refused.err
    assert "--yes" in refused.err
    assert all("drill" not in line for line in up("history", *THERE).out.splitlines()[1:])


def test_elsewhere_nobody_is_asked_and_what_fails_shows_in_the_exit_code(run: Run) -> None:
    assert run("up", *ON).code == 0
    done = run("drill", "zone", "a", *ON, "--no-input", "--for", "5", "--json")
    assert done.code == 1, "one zone is all there is: nothing could answer"
    assert done.json["failed_after_retry"] > 100
    assert done.json["kinds"] == {"HTTP 503": done.json["failed"]}
    assert done.json["settled"]


def test_the_control_plane_comes_back_as_another(up: Run) -> None:
    done = up("drill", "control", *THERE, "--yes", "--for", "4", "--json")
    assert done.code == 0, done.err
    assert done.json["recover_s"] >= 4
    assert "interrupted" in next(line for line in up("history", *THERE).out.splitlines() if "drill control" in line)


def test_what_is_asked_for_can_be_said(up: Run) -> None:
    done = up("drill", "balancer", *THERE, "--yes", "--for", "1", "--path", "/x", "--path", "/y", "--json")
    assert [url.rpartition("/")[2] for url in done.json["drill"]["urls"]] == ["x", "y"]
    assert up("drill", "balancer", *THERE, "--yes", "--path", "x").code == 1


def test_what_is_not_there_is_said(up: Run, run: Run) -> None:
    assert "its zones are a, b" in up("drill", "zone", "c", *THERE, "--yes").err
    assert "no such instance or service" in up("drill", "kill", "wbe", *THERE, "--yes").err
    nothing = run("drill", "kill", "web", "-e", "test", *ON)
    assert nothing.code == 1
    assert "anden up -e test --on simulated" in nothing.err


def test_aws_is_not_drilled(run: Run) -> None:
    refused = run("drill", "zone", "a", "--on", "aws")
    assert refused.code == 1
    assert "only the twin and the simulation can be drilled" in refused.err


@pytest.mark.parametrize("words", [("--for", "0"), ("--for", "4000"), ("--at-rate", "-1"), ("--at-rate", "x")])
def test_bounds_are_usage(run: Run, words: tuple[str, str]) -> None:
    assert run("drill", "balancer", *ON, *words).code == 2


def test_nothing_is_out_afterwards(up: Run) -> None:
    up("drill", "zone", "b", *THERE, "--yes", "--for", "2")
    assert codec.from_data(StatusReport, up("status", *THERE, "--json").json).faults == ()


def test_tab_knows_the_zones(shop: Path) -> None:
    import click

    with group.make_context("anden", ["-e", "production", "version"]) as ctx:
        found = [each.value for each in zones(ctx, click.Argument(["zone"]), "")]
    assert found == ["a", "b"]


def test_help_says_what_each_does() -> None:
    said = CliRunner().invoke(group, ["drill", "--help"]).output
    for word in ("zone", "kill", "balancer", "supervisor", "control"):
        assert re.search(rf"^  {word} ", said, re.M), said


def test_bars_show_anything_above_nothing() -> None:
    assert bars([0, 0.1, 50, 100, 500], 100) == "▁▂▅██"
    assert [ms(each) for each in (None, 2.14, 340.4, 1234.0)] == ["-", "2.1 ms", "340 ms", "1.2 s"]
