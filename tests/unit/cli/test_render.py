"""Reports to lines: the wording and the columns that people see, as golden files."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.cli.kept import same

from anden.app import Check, Checked, Doctor
from anden.cli.render import check, doctor, egress, events, history, logs, plan, problems, reach, ready, status, words
from anden.cli.render.paint import PLAIN, Paint, clean, width
from anden.cli.render.table import columns
from anden.model.blueprint import Layout
from anden.model.change import Change, ChangeState
from anden.model.command import Command, Outcome
from anden.model.configuration import Configuration
from anden.model.event import Event, EventKind
from anden.model.finding import Finding, Severity
from anden.model.ids import Digest, EngineName, EnvironmentKey, ServiceName
from anden.model.log import LogLine
from anden.model.mark import Mark
from anden.model.plan import Action, Caveat, Configure, Difference, Remove, Step, StopInstance
from anden.model.problem import Problem
from anden.model.reach import Hop, Path, Probe, Probed, Seen
from anden.model.report import (
    AuditReport,
    EgressProof,
    EgressReport,
    InstanceStatus,
    PlanReport,
    ReachReport,
    ServiceStatus,
    StatusReport,
)
from anden.model.topology import ImageSource, Service, Topology

NOW = 1_763_950_000.0
B7E1 = Digest("sha256:b7e1" + "0" * 60)
C03F = Digest("sha256:c03f" + "0" * 60)
KEY = EnvironmentKey("banco-andino", "production", EngineName.LOCAL)


def instance(name: str, zone: str, *, healthy: bool = True) -> InstanceStatus:
    address = f"172.30.{'abc'.index(zone)}.4"
    health = "healthy" if healthy else "unhealthy"
    restarts = 0 if healthy else 3
    memory = 38 << 20 if healthy else None
    return InstanceStatus(name, zone, address, "3.1.0", "running", health, restarts, NOW - 4000, memory)


LEDGER = ServiceStatus(
    "ledger", 1, 2, 2, 4, "3.1.0", "degraded", (instance("ledger-1", "a"), instance("ledger-2", "b", healthy=False))
)
ACCOUNTS = ServiceStatus(
    "accounts", 3, 3, 2, 8, "1.4.2", "healthy",
    tuple(instance(f"accounts-{n}", zone) for n, zone in enumerate("abc", 1)), "http://127.0.0.1:8080/accounts",
)  # fmt: skip
TROUBLE = Finding(
    Severity.TROUBLE, "ledger-2 (zone b)", "out of memory at 512 MB, 3 restarts", "size.memory: 1 GB",
    Mark("anden.yaml", 28), ("MemoryError", "cannot \x1b[31mallocate"),
)  # fmt: skip


def report(**changed: object) -> StatusReport:
    fields: dict[str, object] = {
        "client": "banco-andino", "environment": "production", "engine": "local", "running": True, "reason": "",
        "blueprint": B7E1, "matches_manifest": True, "seen_at": NOW - 1, "zones": 3, "gateway": "127.0.0.1:8080",
        "services": (ACCOUNTS, LEDGER),
    }  # fmt: skip
    return StatusReport(**(fields | changed))  # type: ignore[arg-type]


def test_status_as_the_design_shows_it() -> None:
    same("status.txt", status.lines(report(findings=(TROUBLE,)), NOW, PLAIN))


def test_status_with_everything_that_can_be_said() -> None:
    rolled = Change(7, KEY, C03F, B7E1, ChangeState.ROLLED_BACK, 3, NOW, NOW, "accounts-3 answered HTTP 500", ("boom",))
    full = report(
        matches_manifest=False, findings=(TROUBLE,), change=rolled,
        deployed=(Difference(Action.UPDATE, "accounts", "1.4.2 → 1.4.3", note="deployed by ana"),),
        caveats=(
            Caveat(EngineName.LOCAL, "link core", "not raised yet", ("core-api",)),
            Caveat(EngineName.LOCAL, "domain", "is for plan to say"),
        ),
    )  # fmt: skip
    same("status-everything.txt", status.lines(full, NOW, PLAIN, instances=True))


def test_status_of_what_does_not_run() -> None:
    gone = report(running=False, reason="not running since boot", services=(), seen_at=None, gateway=None)
    same("status-not-running.txt", status.lines(gone, NOW, PLAIN))


def test_no_colour_means_no_escape_and_colour_changes_no_word() -> None:
    plain = status.lines(report(findings=(TROUBLE,)), NOW, PLAIN, instances=True)
    painted = status.lines(report(findings=(TROUBLE,)), NOW, Paint(colour=True), instances=True)
    assert not any("\x1b" in line for line in plain)
    assert any("\x1b" in line for line in painted)
    assert [width(line) for line in plain] == [width(line) for line in painted]


LAYOUT = Layout(
    IPv4Network("172.30.0.0/16"), IPv4Address("172.30.0.2"), IPv4Network("172.30.1.0/24"), IPv4Address("172.30.0.5"), ()
)
DIFFERENCES = (
    Difference(Action.UPDATE, "accounts", "1.4.2 → 1.4.3", Mark("anden.yaml", 30), "never below 2"),
    Difference(Action.CREATE, "path", "accounts → exchange", Mark("anden.yaml", 37)),
)
STEPS = (
    Step(Action.UPDATE, "network", "a path more", Configure(Configuration(LAYOUT, ()))),
    Step(Action.DELETE, "accounts-1", "replaced by accounts-3", StopInstance("accounts-1", 5.0, 10.0)),  # type: ignore[arg-type]
)
PLANNED = PlanReport(
    "banco-andino", "production", "local", B7E1, C03F, DIFFERENCES, STEPS,
    (Caveat(EngineName.LOCAL, "link core", "not raised yet: core-api cannot be reached"),),
    (Problem("services/web/route (anden.yaml:9)", "is shadowed by /", "the longest path wins", "Change it."),),
    (Problem("services/web/deploy", "canary is refused", "only rolling is there yet", "Use deploy: rolling."),),
)  # fmt: skip


def test_plan() -> None:
    same("plan.txt", plan.lines(PLANNED, PLAIN))


def test_plan_with_steps() -> None:
    same("plan-steps.txt", plan.lines(PLANNED, PLAIN, steps=True))


def test_plan_with_nothing_to_do() -> None:
    nothing = PlanReport("banco-andino", "production", "simulated", B7E1, B7E1, (), (), (), (), ())
    same("plan-nothing.txt", plan.lines(nothing, PLAIN))


def test_plan_that_removes() -> None:
    removal = PlanReport(
        "a", "b", "aws", B7E1, None, (), (Step(Action.DELETE, "environment", "down", Remove()),), (), (), ()
    )
    assert plan.lines(removal, PLAIN) == ["a/b, aws, b7e1 → nothing", "Removes the environment"]


OPEN = Path(
    "accounts", "ledger", 8080, True,
    (
        Hop("instance", "accounts (172.30.16.4)", "leaves by its only interface", True),
        Hop("firewall", "accounts → ledger:8080", "declared at anden.yaml:37", True),
        Hop("balancer", "ledger (172.30.1.3)", "checks health", True),
    ),
    mark=Mark("anden.yaml", 37),
)  # fmt: skip
BLOCKED = Path(
    "ledger", "exchange", 443, False, (Hop("firewall", "ledger → exchange:443", "not declared", False),),
    "not declared", "add exchange to services.ledger.reaches", Mark("anden.yaml", 28),
)  # fmt: skip


def reached(paths: tuple[Path, ...], *probed: Probed) -> ReachReport:
    return ReachReport("banco-andino", "production", "local", paths, probed)


def test_reach_blocked_as_the_design_shows_it() -> None:
    assert reach.lines(reached((BLOCKED,)), PLAIN, matrix=False) == [
        "BLOCKED at firewall: not declared",
        "fix: add exchange to services.ledger.reaches (anden.yaml:28)",
    ]


def test_reach_open_names_every_hop() -> None:
    same("reach-open.txt", reach.lines(reached((OPEN,)), PLAIN, matrix=False))


def test_reach_live_says_when_it_saw_something_else() -> None:
    silent = Probed(Probe("accounts-1", "ledger", 8080), Seen.SILENT, None, 1.0)
    seen = Probed(Probe("accounts-1", "ledger", 8080), Seen.OPEN, IPv4Address("172.30.16.4"), 0.0004)
    same("reach-live.txt", reach.lines(reached((OPEN,), seen), PLAIN, matrix=False))
    same("reach-differs.txt", reach.lines(reached((OPEN,), silent), PLAIN, matrix=False))
    assert reach.disagreements(reached((OPEN,), silent))
    assert not reach.disagreements(reached((OPEN,), seen))
    assert reach.disagreements(reached((BLOCKED,), seen))


def test_matrix() -> None:
    back = Path("ledger", "accounts", 8080, False, (), "not declared")
    same("matrix.txt", reach.lines(reached((OPEN, BLOCKED, back)), PLAIN, matrix=True))


def test_egress() -> None:
    proofs = (
        EgressProof("accounts", "a", "exchange", "198.51.100.11", "198.51.100.11", "proved"),
        EgressProof("accounts", "b", "exchange", "198.51.100.12", "198.51.100.11", "differs", "zone a's address"),
        EgressProof("accounts", "a", "core-api", None, None, "blocked", "link core is not raised yet"),
    )
    said = EgressReport("banco-andino", "production", "local", NOW, proofs)
    same("egress.txt", egress.lines(said, PLAIN))
    assert [each.verdict for each in egress.failures(said)] == ["differs"]
    assert egress.lines(EgressReport("a", "b", "local", NOW, ()), PLAIN)


def test_events_of_an_up() -> None:
    said = [
        Event(EventKind.HEADING, text="banco-andino/certification, twin, 1 zone"),
        Event(EventKind.NOTE, "local", "link core: not raised yet", "≠"),
        Event(EventKind.STEP, "accounts", "surge for accounts 1.4.3"),
        Event(EventKind.STEP, "ledger", "2/2 healthy", "✓", 0.4),
        Event(EventKind.STEP, "accounts", "1/1 healthy", "✓", 0.52),
        Event(EventKind.STEP, "gateway", "/accounts → 200", "✓", 75.0),
        Event(
            EventKind.PROBLEM,
            problem=Problem("accounts-3", "answered HTTP 500", "its health check failed", "See logs."),
        ),
    ]
    names = events.columns_for(["ledger", "accounts"])
    same("up.txt", [events.line(each, names, PLAIN) for each in said])


def test_ready_names_every_address_up_to_a_bound() -> None:
    one = report(services=(ACCOUNTS, LEDGER))
    assert ready.ready(one, 1.1, PLAIN) == ["Ready in 1.1s  http://127.0.0.1:8080/accounts"]
    many = report(
        services=tuple(
            ServiceStatus(f"s{n}", 1, 1, 1, 1, "1", "healthy", (), f"http://127.0.0.1:8080/s{n}") for n in range(7)
        )
    )
    same("ready-many.txt", ready.ready(many, 1.1, PLAIN))
    assert ready.ready(report(services=(LEDGER,)), 1.1, PLAIN) == ["Ready in 1.1s"]


def topology(*services: Service) -> Topology:
    return Topology("c", "e", services)


def service(name: str, *reaches: str) -> Service:
    return Service(ServiceName(name), ImageSource(image=f"{name}:1"), 8080, reaches=reaches)


def test_the_hint_is_a_declared_pair_of_services_if_there_is_one() -> None:
    both = topology(service("accounts", "exchange", "ledger"), service("ledger"))
    assert ready.hint(both, None, EngineName.LOCAL) == "Try: anden reach accounts ledger"
    assert ready.hint(both, "production", EngineName.SIMULATED).endswith("ledger -e production --on simulated")
    assert ready.hint(topology(service("a")), None, EngineName.LOCAL) == "Try: anden status"
    away = ready.hint(both, None, EngineName.LOCAL, "./anden", "my bank")
    assert away == "Try: ./anden reach accounts ledger -C 'my bank'"


def test_history() -> None:
    done = Command(2, KEY, "ana (via sudo)", "up", NOW, Outcome.DONE, NOW + 3.2)
    failed = Command(1, KEY, "root", "scale accounts 9", NOW - 60, Outcome.REFUSED, NOW - 60, "accounts runs 2..8")
    same("history.txt", history.lines([done, failed], PLAIN))


def test_history_verified() -> None:
    gap = "audit 9: written after a gap: the head's file was missing"
    right = history.checked(AuditReport(12, "", (gap,)), "banco-andino", PLAIN)
    wrong = history.checked(AuditReport(1, "audit 2: not what was written"), "banco-andino", PLAIN)
    same("history-verify.txt", [*right, "", *wrong])


def test_log_lines_keep_json_and_lose_what_a_terminal_would_obey() -> None:
    text = '{"level": "info", "to": "José → ledger"}'
    line = logs.line(LogLine(NOW, "accounts-1", "stdout", text), PLAIN)
    assert line == f"02:06:40 accounts-1 {text}"
    assert logs.line(LogLine(NOW, "accounts-1", "stdout", "\x1b[2Jgone\r"), PLAIN).endswith("?[2Jgone?")


def test_problems_are_one_line_in_four_parts() -> None:
    full = Problem("services/a/port (anden.yaml:31)", "80800 is not a port", "ports run from 1 to 65535", "Use 8080.")
    assert problems.lines([full, Problem("x", "is wrong")], PLAIN) == [str(full), "x: is wrong."]


def test_check_says_problems_or_a_summary() -> None:
    right = Checked("banco-andino", ("certification", "production"), 3)
    assert check.summary(right) == "banco-andino: 2 environments, 3 services, 0 problems"
    wrong = Checked("banco-andino", (), 0, (Problem("a", "b"),), (Problem("c", "d"),))
    assert check.said(wrong, PLAIN) == ["a: b.", "! c: d.", "1 problem"]


def test_doctor() -> None:
    lacking = Doctor(
        False,
        (
            Check("python", ok=True, detail="3.11.2"),
            Check("crun", ok=False, detail="missing: runs the containers", fix="Install the package crun."),
            Check("cgroups", ok=False, detail="none", fix="Mount /sys/fs/cgroup."),
        ),
    )
    same("doctor.txt", doctor.lines(lacking, PLAIN))


CELL = st.text(alphabet="ab→", min_size=1, max_size=6)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=5))
def test_cells_of_a_column_start_below_each_other(rows: list[tuple[str, str, str]]) -> None:
    lines = columns(rows)
    assert len(lines) == len(rows)
    at = [2 + max((len(row[0]) for row in rows), default=0)]
    at.append(at[0] + 2 + max((len(row[1]) for row in rows), default=0))
    for line, row in zip(lines, rows, strict=True):
        assert line[at[0] :].startswith(row[1])
        assert line[at[1] :] == row[2]


@pytest.mark.parametrize(
    ("took", "said"), [(0.04, "0.0s"), (1.14, "1.1s"), (59.9, "59.9s"), (75, "1m15s"), (3725, "1h02m")]
)
def test_seconds(took: float, said: str) -> None:
    assert words.seconds(took) == said


@pytest.mark.parametrize(
    ("passed", "said"),
    [(-5, "now"), (0.4, "now"), (1, "1s ago"), (61, "1m ago"), (7300, "2h ago"), (200_000, "2d ago")],
)
def test_ago(passed: float, said: str) -> None:
    assert words.ago(NOW - passed, NOW) == said


@given(st.text())
def test_nothing_that_a_terminal_obeys_passes(text: str) -> None:
    assert all(each.isprintable() or each == "\t" for each in clean(text))
    assert len(clean(text)) == len(text)
