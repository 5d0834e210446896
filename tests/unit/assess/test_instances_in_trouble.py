"""What `status` says of instances in trouble, in the words that people see."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from anden.assess.instances import RECENT_S, STALE_S, assess
from anden.assess.sizes import more_memory
from anden.model.blueprint import Blueprint, Facts
from anden.model.finding import Finding, Severity
from anden.model.ids import Digest, EngineName, EnvironmentKey, InstanceId, ServiceName, ZoneName
from anden.model.image import Image
from anden.model.mark import Mark
from anden.model.observation import Exit, Health, InstanceSeen, InstanceState, Observation
from anden.model.topology import ImageSource, Range, Service, Size, Topology
from anden.planning.blueprint import draft

KEY = EnvironmentKey("banco-andino", "production", EngineName.LOCAL)
NOW = 10_000.0
LEDGER = Service(ServiceName("ledger"), ImageSource("ledger:3.1.0"), port=8080, instances=Range(2, 4))
MARKS = {
    "services/ledger": Mark("anden.yaml", 27),
    "services/ledger/size": Mark("anden.yaml", 28),
    "services/ledger/instances": Mark("anden.yaml", 29),
}


def blueprint(service: Service = LEDGER) -> Blueprint:
    images = {str(service.name): Image("ledger:3.1.0", Digest("sha256:" + "3" * 64))}
    return draft(Topology("banco-andino", "production", (service,)), images, Facts(), None)


def seen(ordinal: int, **fields: Any) -> InstanceSeen:
    one = InstanceSeen(
        id=InstanceId(f"ledger-{ordinal}"),
        service=ServiceName("ledger"),
        ordinal=ordinal,
        zone=ZoneName("b"),
        address=IPv4Address("172.30.128.4") + ordinal,
        revision=Digest("sha256:0"),
        image_name="ledger:3.1.0",
        state=InstanceState.RUNNING,
        health=Health.HEALTHY,
        since=100.0,
        ever_healthy=True,
    )
    return replace(one, **fields)


def found(*instances: InstanceSeen, service: Service = LEDGER, at: float = NOW) -> list[Finding]:
    observation = Observation(KEY, at, present=True, instances=instances)
    return list(assess(blueprint(service), {}, observation, MARKS, NOW))


def lines(findings: list[Finding]) -> list[str]:
    return [f"{one.subject}: {one.text}" for one in findings]


def test_nothing_to_say() -> None:
    assert found(seen(1), seen(2)) == []


def test_out_of_memory_names_the_next_size_and_its_line() -> None:
    dead = {"state": InstanceState.RESTARTING, "health": Health.UNHEALTHY, "restarts": 3}
    findings = found(seen(1), seen(2, exit=Exit(-9, NOW - 1, out_of_memory=True), tail=("loading",), **dead))
    assert lines(findings) == [
        "ledger: 1 of 2 serve, below its base of 2",
        "ledger-2 (zone b): out of memory at 512 MB, 3 restarts",
    ]
    assert findings[0].mark == Mark("anden.yaml", 29)
    assert findings[1] == Finding(
        Severity.TROUBLE,
        "ledger-2 (zone b)",
        "out of memory at 512 MB, 3 restarts",
        "size.memory: 1 GB",
        Mark("anden.yaml", 28),
        ("loading",),
    )


def test_out_of_memory_is_remembered_for_a_while_after_it_came_back() -> None:
    again = seen(2, restarts=1, exit=Exit(-9, NOW - 60, out_of_memory=True))
    (finding,) = found(seen(1), again)
    assert (finding.severity, finding.text) == (Severity.WARNING, "out of memory at 512 MB, 1 restart")
    assert found(seen(1), replace(again, exit=Exit(-9, NOW - RECENT_S - 1, out_of_memory=True))) == []


def test_the_next_size_may_need_more_cpu_and_the_largest_has_none() -> None:
    dead = seen(2, state=InstanceState.RESTARTING, health=Health.UNHEALTHY, exit=Exit(-9, NOW, out_of_memory=True))
    full = replace(LEDGER, size=Size(250, 2048))
    assert found(dead, service=full)[-1].fix == "size: { cpu: 0.5, memory: 3 GB }"
    largest = replace(LEDGER, size=Size(32000, 244 * 1024))
    assert found(dead, service=largest)[-1].fix.startswith("no size has more memory")
    assert found(dead, service=largest)[-1].text == "out of memory at 244 GB"


def test_crashing() -> None:
    down: dict[str, Any] = {"state": InstanceState.RESTARTING, "health": Health.UNHEALTHY}
    findings = found(
        seen(1, exit=Exit(1, NOW), restarts=1, tail=("a", "b"), **down),
        seen(2, exit=Exit(-11, NOW), restarts=5, **down),
    )
    assert lines(findings) == [
        "ledger: nothing serves",
        "ledger-1 (zone b): exited with 1, 1 restart",
        "ledger-2 (zone b): killed by signal 11, 5 restarts",
    ]
    assert (findings[1].fix, findings[1].evidence) == ("anden logs ledger", ("a", "b"))


def test_what_cannot_even_start() -> None:
    stuck = seen(2, state=InstanceState.RESTARTING, health=Health.UNKNOWN, answer="no such user: app", restarts=2)
    assert lines(found(seen(1), seen(3), stuck)) == [
        "ledger-2 (zone b): could not be started, 2 restarts: no such user: app"
    ]


def test_unhealthy_with_its_answer() -> None:
    ill = {"health": Health.UNHEALTHY}
    assert lines(found(seen(1), seen(2), seen(3, answer="HTTP 500", **ill))) == ["ledger-3 (zone b): answers HTTP 500"]
    assert lines(found(seen(1), seen(2), seen(3, answer="timeout", exit=Exit(1, NOW - 50), restarts=1, **ill))) == [
        "ledger-3 (zone b): unhealthy: timeout, exited with 1 before, 1 restart"
    ]
    assert lines(found(seen(1), seen(2), seen(3, **ill))) == ["ledger-3 (zone b): unhealthy"]


def test_a_new_one_has_its_grace_and_then_not() -> None:
    fresh = {"health": Health.UNHEALTHY, "ever_healthy": False, "state": InstanceState.STARTING}
    assert found(seen(1), seen(2, since=NOW - LEDGER.start_s, **fresh)) == []
    late = found(seen(1), seen(2, since=NOW - LEDGER.start_s - 1, **fresh))
    assert lines(late)[0] == "ledger: 1 of 2 serve, below its base of 2"
    slow = found(seen(1), seen(2), seen(3, since=NOW - 60, **{**fresh, "health": Health.UNKNOWN}))
    assert lines(slow) == ["ledger-3 (zone b): not healthy 60 s after it was started"]


def test_health_that_nobody_knows_for_a_moment() -> None:
    assert lines(found(seen(1), seen(2), seen(3, health=Health.UNKNOWN))) == ["ledger-3 (zone b): health not known"]


def test_who_is_leaving_is_in_no_trouble() -> None:
    assert found(seen(1), seen(2), seen(3, state=InstanceState.DRAINING, health=Health.UNHEALTHY)) == []


def test_nothing_is_there() -> None:
    observation = Observation(KEY, NOW, present=False, absent_reason="not running since boot", instances=(seen(1),))
    (finding,) = assess(blueprint(), {}, observation, MARKS, NOW)
    assert (finding.severity, finding.subject) == (Severity.TROUBLE, "production")
    assert (finding.text, finding.fix) == ("not running: not running since boot", "anden up -e production")


def test_an_old_observation_says_so_first() -> None:
    assert found(seen(1), seen(2), at=NOW - STALE_S) == []
    (finding,) = found(seen(1), seen(2), at=NOW - STALE_S - 10)
    assert (finding.subject, finding.text) == ("observation", "40 s old: what it says may no longer be true")


def test_a_base_of_nothing_is_never_missed() -> None:
    assert found(service=replace(LEDGER, instances=Range(0, 4))) == []


@given(st.integers(1, 32000), st.integers(1, 300 * 1024))
def test_more_memory_is_more_and_never_less_cpu(milli: int, mib: int) -> None:
    larger = more_memory(Size(milli, mib))
    if larger is None:
        assert mib >= 244 * 1024
    else:
        assert larger.memory_mib > mib
        assert larger.cpu_milli >= milli
