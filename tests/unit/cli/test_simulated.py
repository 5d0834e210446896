"""The command line end to end, on the simulated engine: every command that needs something running."""

from pathlib import Path

import apsw
import pytest
from tests.unit.cli.conftest import Run

from anden.model import codec
from anden.model.command import Command, Outcome
from anden.model.ports import Exec
from anden.model.refused import RefusedReport
from anden.model.report import EgressReport, PlanReport, ReachReport, StatusReport

ON = ("--on", "simulated")


@pytest.fixture
def up(run: Run) -> Run:
    """The shop runs."""
    done = run("up", *ON)
    assert done.code == 0, done.err
    return run


def status(run: Run) -> StatusReport:
    return codec.from_data(StatusReport, run("status", *ON, "--json").json)


def test_plan_says_with_its_exit_code_whether_there_are_changes(run: Run) -> None:
    before = run("plan", *ON, "--exit-code")
    assert before.code == 3
    assert "+ web" in before.out
    assert run("plan", *ON).code == 0
    assert run("up", *ON).code == 0
    after = run("plan", *ON, "--exit-code")
    assert after.code == 0
    assert "Nothing to do" in after.out


def test_plan_shows_steps_when_asked(run: Run) -> None:
    assert "web-1" not in run("plan", *ON).out
    assert "web-1" in run("plan", *ON, "--steps").out


def test_up_says_progress_on_stderr_and_where_it_answers_on_stdout(run: Run) -> None:
    done = run("up", *ON)
    assert done.code == 0
    assert done.err.splitlines()[0] == "shop/test, simulated, 1 zone"
    assert "✓ web      1/1 healthy" in done.err
    assert done.err.splitlines()[-1] == "Try: anden reach web api --on simulated"
    assert done.out.startswith("Ready in ")
    assert "http://127.0.0.1:8080/" in done.out


def test_up_takes_the_folder_as_an_argument_and_as_an_option(run: Run, shop: Path, tmp_path: Path) -> None:
    assert run("up", str(shop), *ON).code == 0
    assert run("-C", str(shop), "status", *ON).code == 0
    assert run("status", "-C", str(shop), *ON).code == 0
    assert run("status", str(shop / "anden.yaml"), *ON).code == 0
    both = run("status", str(tmp_path), "-C", str(shop), *ON)
    assert both.code == 1
    assert "said twice" in both.err


def test_json_of_up_is_the_status_report(run: Run) -> None:
    report = codec.from_data(StatusReport, run("up", *ON, "--json").json)
    assert report.running
    assert report.gateway == "127.0.0.1:8080"
    web = next(each for each in report.services if each.name == "web")
    assert (web.level, web.base, web.max, web.health, web.image) == (1, 1, 3, "healthy", "1.0.0")
    assert web.instances[0].zone == "a"
    assert web.instances[0].address


def test_status_of_what_runs_and_of_what_does_not(run: Run) -> None:
    cold = run("status", *ON)
    assert cold.code == 0
    assert "not running" in cold.out
    assert "anden up -e test --on simulated" in cold.out
    run("up", *ON)
    warm = run("status", *ON)
    assert "= manifest" in warm.out
    assert "web-1" in run("status", *ON, "-i").out


def test_deployed_images_are_asked_about_and_never_reverted_in_silence(up: Run) -> None:
    assert up("deploy", "web", "web:1.1.0", *ON).code == 0
    assert "deployed beside the manifest" in up("status", *ON).out
    asked = up("up", *ON, "--no-input")
    assert asked.code == 1
    assert "web:1.1.0" in asked.err
    assert "--yes" in asked.err
    assert "--revert" in asked.err
    kept = up("up", *ON, "--yes")
    assert kept.code == 0
    assert next(each for each in status(up).services if each.name == "web").image == "1.1.0"
    assert up("up", *ON, "--revert").code == 0
    assert next(each for each in status(up).services if each.name == "web").image == "1.0.0"
    assert up("up", *ON, "--revert", "--yes").code == 2


def test_a_broken_version_is_rolled_back_and_the_output_says_why(up: Run) -> None:
    done = up("deploy", "web", "web:broken", *ON)
    assert done.code == 1
    assert "rolled back" in done.err
    assert "HTTP 500" in done.err
    assert "cannot open the vault" in done.err
    web = next(each for each in status(up).services if each.name == "web")
    assert (web.image, web.health) == ("1.0.0", "healthy")


def test_scale_within_its_range_only(up: Run) -> None:
    assert up("scale", "web", "3", *ON).code == 0
    assert next(each for each in status(up).services if each.name == "web").level == 3
    past = up("scale", "web", "4", *ON)
    assert past.code == 1
    assert "1..3" in past.err
    assert up("scale", "web", "x", *ON).code == 2


def test_rollback_goes_back_to_what_was(up: Run) -> None:
    up("deploy", "web", "web:1.1.0", *ON)
    assert up("rollback", *ON).code == 0
    assert next(each for each in status(up).services if each.name == "web").image == "1.0.0"


def test_restart_replaces_and_keeps_serving(up: Run) -> None:
    assert up("restart", "web", *ON).code == 0
    assert up("restart", *ON).code == 0
    assert all(each.health == "healthy" for each in status(up).services)
    assert up("restart", "wbe", *ON).code == 1


def test_reach_computed_and_tried(up: Run) -> None:
    assert up("reach", "web", "api", *ON).out.startswith("OPEN web → api:8080 (anden.yaml:")
    blocked = up("reach", "api", "exchange", *ON)
    assert blocked.out.startswith("BLOCKED at firewall: not declared\nfix: add exchange to services.api.reaches")
    live = up("reach", "web", "api", "--live", *ON)
    assert live.code == 0
    assert "each saw what was computed" in live.out
    report = codec.from_data(ReachReport, up("reach", "--json", *ON).json)
    assert {(path.caller, path.callee) for path in report.paths if path.open} >= {("web", "api"), ("web", "exchange")}
    assert up("reach", "--matrix", *ON).out == up("reach", *ON).out


def test_reach_says_what_it_lacks(run: Run) -> None:
    assert run("reach", "web", *ON).code == 2
    assert run("reach", "web", "api:http", *ON).code == 2
    assert run("reach", "--matrix", "web", "api", *ON).code == 2
    assert run("reach", "web", "apy", *ON).code == 1
    assert "BLOCKED" in run("reach", "web", "api:81", *ON).out


def test_prove_egress(up: Run) -> None:
    done = up("prove", "egress", *ON)
    assert done.code == 0
    assert "1 of 1 way out proved" in done.out
    report = codec.from_data(EgressReport, up("prove", "egress", "--json", *ON).json)
    assert [each.verdict for each in report.proofs] == ["proved"]
    assert report.proofs[0].declared == report.proofs[0].observed


def test_exec_passes_output_and_exit_code_through(up: Run) -> None:
    done = up("exec", "web", *ON, "--", "echo", "-n", "hello")
    assert done.code == 0
    assert "hello" in done.out
    assert up("exec", *ON, "web-1", "false").code == 1
    answer = codec.from_data(Exec, up("exec", "--json", *ON, "web", "true").json)
    assert answer == Exec(0, "", "")
    refused = up("exec", "-t", "web", "sh")
    assert refused.code == 2
    assert "no terminal" in refused.err


def test_logs_since_a_moment(up: Run) -> None:
    every = up("logs", "--json", *ON).out.splitlines()
    assert up("logs", "--json", "--since", "1d", *ON).out.splitlines() == every
    assert up("logs", "--json", "--since", "2026-01-01", "-n", "1", *ON).out.splitlines() == every[-1:]
    later = up("logs", "--since", "2999-01-01T00:00", *ON)
    assert (later.code, later.out) == (0, "")
    assert "no lines" in later.err
    refused = up("logs", "--since", "yesterday", *ON)
    assert refused.code == 2
    assert "Say 30s, 10m, 2h, 1d, or a date" in refused.err


def test_logs_one_line_each_and_json_lines(up: Run) -> None:
    lines = up("logs", "web", *ON).out.splitlines()
    assert lines
    assert all(" web-1 " in line for line in lines)
    data = up("logs", *ON, "--json").out.splitlines()
    assert len(data) >= 2
    assert up("logs", "nobody", *ON).code == 1


def test_history_is_the_record_of_commands(up: Run) -> None:
    up("scale", "web", "9", *ON)
    shown = up("history", *ON).out
    assert "scale web 9" in shown
    assert "refused" in shown
    newest = codec.from_data(Command, up("history", "--json", *ON).json[0])
    assert newest.outcome is Outcome.REFUSED
    assert newest.who


def test_the_record_is_verified_and_a_changed_one_is_named(up: Run, shop: Path) -> None:
    right = up("history", "--verify", *ON)
    assert (right.code, right.out.splitlines()[-1]) == (
        0, "✓ shop: 2 entries, each as it was written, to the last that the head names",
    )  # fmt: skip
    assert up("history", "--verify", "--json", *ON).json == {"entries": 2, "fault": "", "gaps": []}
    records = shop.parent / "state" / "shop" / "simulated" / "anden.db"
    records.with_name("anden.db.copy").write_bytes(b"")
    raw = apsw.Connection(str(records))
    raw.execute("UPDATE audit SET entry = replace(entry, 'up', 'no') WHERE number = 1")
    raw.close()
    stopped = up("status", *ON)  # changed behind its back, and no copy to compare with
    assert stopped.code == 1
    assert "audit 1: not what was written" in stopped.err
    assert "anden.db.copy" in stopped.err


def test_records_that_were_restored_are_said_until_the_next_up(up: Run, shop: Path) -> None:
    records = shop.parent / "state" / "shop" / "simulated" / "anden.db"
    records.write_bytes(records.read_bytes()[:5000])
    said = up("status", *ON)
    assert said.code == 0
    assert "! the records: damaged (" in said.out
    assert "nothing that was acknowledged is missing" in said.out
    assert "anden  restore the records" in " ".join(up("history", *ON).out.splitlines()[1].split("   "))
    assert "! audit 3: written after a gap: damaged (" in up("history", "--verify", *ON).out
    assert up("up", *ON).code == 0
    assert "the records:" not in up("status", *ON).out


def test_down_leaves_nothing_but_the_record(up: Run) -> None:
    down = up("down", *ON)
    assert down.code == 0
    assert "is gone" in down.out
    assert not status(up).running
    assert up("logs", *ON).code == 1
    assert up("history", *ON).out.splitlines()[1].split()[3] == "down"
    assert up("down", *ON).code == 0


def test_down_of_production_asks_first(run: Run) -> None:
    assert run("up", "-e", "production", *ON).code == 0
    refused = run("down", "-e", "production", *ON, "--no-input")
    assert refused.code == 1
    assert "--yes" in refused.err
    assert run("down", "-e", "production", *ON, "--yes").code == 0


def test_without_its_folder_an_environment_is_named_by_client(up: Run, shop: Path, tmp_path: Path) -> None:
    (shop / "anden.yaml").unlink()
    lost = up("status", *ON)
    assert lost.code == 1
    assert "anden init" in lost.err
    named = up("status", "--client", "shop", "-e", "test", *ON)
    assert named.code == 0
    assert "web" in named.out
    assert up("down", "--client", "shop", *ON, "--yes").code == 1
    assert up("down", "--client", "shop", "-e", "test", *ON, "--yes").code == 0


def test_a_wrong_manifest_hinders_plan_and_not_status(up: Run, shop: Path) -> None:
    (shop / "anden.yaml").write_text("client: shop\nanden: 1\nservces: {}\n")
    assert up("plan", *ON).code == 1
    assert up("status", *ON).code == 1
    seen = up("status", "-e", "test", *ON)
    assert seen.code == 0
    assert "anden check" in seen.err
    assert "web" in seen.out


def test_plan_for_aws_says_how_it_differs_and_without_credentials_up_is_refused(run: Run) -> None:
    planned = codec.from_data(PlanReport, run("plan", "--on", "aws", "-e", "production", "--json").json)
    assert planned.engine == "aws"
    assert planned.differences
    refused = run("up", "--on", "aws")
    assert refused.code == 1
    assert refused.err.startswith("AWS: there are no credentials")


def test_manners_are_said_once_and_shown_from_then_on(run: Run) -> None:
    assert run("up", *ON, "--as", "aws").code == 0
    assert run("status", *ON).out.startswith("shop/test, simulated as aws, ")
    assert run("plan", *ON).out.startswith("shop/test, simulated as aws, ")
    again = run("up", *ON)
    assert again.err.splitlines()[0] == "shop/test, simulated as aws, 1 zone"
    assert status(run).manners == "aws"
    assert run("up", *ON, "--as", "twin").code == 0
    assert run("status", *ON).out.startswith("shop/test, simulated, ")


def test_only_known_manners_are_taken(run: Run) -> None:
    done = run("up", *ON, "--as", "azure")
    assert done.code == 2
    assert "'twin', 'aws'" in done.err


def test_every_way_is_tried_and_as_computed(up: Run) -> None:
    done = up("prove", "reach", *ON)
    assert done.code == 0, done.out
    assert "are as computed" in done.out.splitlines()[-1]
    assert "✓ web  " in done.err
    report = codec.from_data(ReachReport, up("prove", "reach", "--json", *ON).json)
    assert len(report.paths) == len(report.probed) == len(report.hops) > 0


def test_egress_says_since_when(up: Run) -> None:
    done = up("prove", "egress", *ON)
    assert "declared so since" in done.out


def test_what_was_refused_is_shown_with_what_would_open_it(up: Run) -> None:
    assert up("refused", *ON).out == "Nothing was refused\n"
    assert up("reach", "api", "web", "--live", *ON).code == 0
    assert up("refused", *ON).out == "Nothing was refused\n", "what is only probed does not count"
    for _ in range(12):
        assert up("exec", "api-1", *ON, "--", "connect", "web", "8080").out == "silent\n"
    up("exec", "api-1", *ON, "--", "connect", "evil.example", "443")
    done = up("refused", *ON)
    assert done.out.splitlines()[0].split() == ["SERVICE", "TRIED", "TIMES", "FIRST", "LAST"]
    assert "api      web:8080" in done.out
    assert "fix: add web to services.api.reaches (anden.yaml:" in done.out
    report = codec.from_data(RefusedReport, up("refused", "--since", "10m", "--json", *ON).json)
    assert {(row.service, row.to) for row in report.rows} == {("api", "web"), ("api", "evil.example")}
    assert up("refused", "--since", "soon", *ON).code == 2
    said = status(up).findings
    assert [one.subject for one in said if "refused" in one.text] == ["api"]


def test_a_live_path_shows_each_hop(up: Run) -> None:
    lines = up("reach", "web", "api", "--live", *ON).out.splitlines()
    assert lines[0].startswith("OPEN web → api")
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["✓", "instance"], ["✓", "firewall"], ["✓", "name"], ["✓", "instance"],
    ]  # fmt: skip
