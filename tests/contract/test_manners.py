"""The contract of an engine's manners: each case for the twin's and for AWS's, by the figures that it is given.

Figures are small here, so that a case takes seconds; those of AWS are pinned by docs/parity.md and its test. What an
engine cannot be asked is not here: the 1446 bytes through a tunnel (docs/parity.md says why).
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.contract.conftest import Make
from tests.contract.subject import FLAKY, GOOD, STUBBORN, UNHEALTHY, Environment, Subject, place, service

from anden.model.manners import AWS, TWIN, Manners
from anden.model.observation import InstanceState
from anden.model.plan import Configure, StartInstance, StopInstance
from anden.model.reach import Probe, Probed, ProbeKind, Seen
from anden.model.topology import Egress, Route, Topology
from anden.planning.steps import plan

TIMEOUT_S = 0.7
IDLE_S = 1.5
LINE_BYTES = AWS.header_bytes or 0
QUICK_TWIN = replace(TWIN, idle_s=IDLE_S)
QUICK_AWS = replace(
    AWS, idle_s=IDLE_S, answer_s=0.8, nat_idle_s=2.0, drain_s=0.5, stop_limit_s=1.0, launch_s=(1.0, 2.0)
)
BOTH = pytest.mark.parametrize("manners", [QUICK_TWIN, QUICK_AWS], ids=["twin", "as-aws"])


def world(environment: str) -> Topology:
    """web, on the gateway, calls api, and goes out; api calls itself; base calls nobody. Two zones."""
    return Topology(
        "contract",
        environment,
        (
            service("api", reaches=("api",)),
            service("base"),
            service("web", route=Route("/"), reaches=("api", "bourse")),
        ),
        destinations=(place("bourse", "192.0.2.10/32", 443),),
        zones=2,
        egress=Egress.PER_ZONE,
    )


@pytest.fixture(scope="module", params=[QUICK_TWIN, QUICK_AWS], ids=["twin", "as-aws"])
def common(request: pytest.FixtureRequest, subject: Subject) -> Iterator[Environment]:
    """One environment for the cases that change nothing."""
    environment = subject.environment(world, request.param)
    try:
        environment.up("api-1", "api-2", "base-1", "web-1", "web-2")
        yield environment
    finally:
        environment.remove()


def probe(environment: Environment, *probes: Probe) -> list[Seen]:
    return [each.seen for each in probed(environment, *probes)]


def probed(environment: Environment, *probes: Probe) -> tuple[Probed, ...]:
    return environment.engine.probe(environment.key, probes)


def alone(environment: str) -> Topology:
    """Only web, on the gateway."""
    return Topology("contract", environment, (service("web", route=Route("/")),))


def started(environment: Environment, image: str, *names: str) -> None:
    """Created, with these instances of an image started, healthy or not."""
    for _ in environment.engine.prepare(environment.key, environment.blueprint):
        pass
    starts = [StartInstance(environment.instance(name, image=image)) for name in names]
    environment.done(Configure(environment.configuration), *starts)


def planned(environment: Environment, kind: type, level: int) -> list[StartInstance | StopInstance]:
    """What planning would have the engine do for another level of web, with these manners."""
    made = plan(
        environment.key, environment.blueprint, {"web": level}, {}, None, (), environment.seen(), environment.manners
    )
    return [step.effect for step in made.steps if isinstance(step.effect, kind)]  # type: ignore[misc]


# The balancer.


@BOTH
def test_a_request_that_an_instance_hangs_up_on_is_tried_again_by_the_twin_and_fails_as_aws(
    make: Make, manners: Manners
) -> None:
    environment = make(alone, manners)
    started(environment, FLAKY, "web-1", "web-2")
    environment.until(lambda seen: len(seen.instances) == 2 and all(one.serving for one in seen.instances))
    answers = [environment.talk.get(environment.key, environment.gateway) for _ in range(8)]
    assert answers[0] == (200 if manners.retries else 502)
    assert answers.count(502) <= (0 if manners.retries else 2)  # each instance hangs up once
    assert set(answers) <= {200, 502}


def test_a_silent_connection_ends_after_the_idle_time(common: Environment) -> None:
    talk, key, gateway = common.talk, common.key, common.gateway
    assert talk.lingers(key, gateway, IDLE_S / 4)
    assert not talk.lingers(key, gateway, IDLE_S * 2)


def test_an_answer_that_takes_longer_than_the_balancers_patience_never_comes_as_aws(common: Environment) -> None:
    within, beyond = 0.2, 1.3  # the service's own timeout is 2 s
    assert common.talk.get(common.key, common.gateway, takes_s=within) == 200
    assert common.talk.get(common.key, common.gateway, takes_s=beyond) == (
        200 if common.manners.name == "twin" else 504
    )


def test_header_lines_of_16_kb_pass_and_longer_ones_are_refused_as_aws(common: Environment) -> None:
    assert common.talk.get(common.key, common.gateway, header_bytes=LINE_BYTES) == 200
    longer = common.talk.get(common.key, common.gateway, header_bytes=LINE_BYTES + 1)
    assert longer == (200 if common.manners.name == "twin" else 400)


@BOTH
def test_when_nobody_is_healthy_requests_go_to_all_as_aws_and_to_nobody_on_the_twin(
    make: Make, manners: Manners
) -> None:
    environment = make(alone, manners)
    started(environment, UNHEALTHY, "web-1")
    environment.until(lambda seen: (one := seen.instance("web-1")) and "500" in one.answer)
    assert environment.talk.get(environment.key, environment.gateway) == (500 if manners.fails_open else 503)
    environment.done(StartInstance(environment.instance("web-2")))
    environment.until(lambda seen: (one := seen.instance("web-2")) and one.serving)
    assert {environment.talk.get(environment.key, environment.gateway) for _ in range(6)} == {200}


# Instances.


@BOTH
def test_an_instance_serves_only_after_its_launch_delay_and_the_twin_has_none(make: Make, manners: Manners) -> None:
    environment = make(alone, manners)
    started(environment, GOOD)
    (start,) = planned(environment, StartInstance, 1)
    assert isinstance(start, StartInstance)
    least, most = manners.launch_s
    assert least <= start.launch_s <= most
    environment.done(start)
    if manners.launch_s[1]:
        first = environment.one("web-1")
        assert (first.state, first.serving, first.tail) == (InstanceState.STARTING, False, ())
        assert environment.talk.get(environment.key, environment.gateway) == 503
    seen = environment.until(lambda seen: (one := seen.instance("web-1")) and one.serving)
    one = seen.instance("web-1")
    assert one is not None
    assert seen.at - one.since >= start.launch_s
    assert one.restarts == 0
    assert environment.talk.get(environment.key, environment.gateway) == 200


def test_one_that_waits_for_its_launch_can_be_told_to_go(make: Make) -> None:
    environment = make(alone, QUICK_AWS)
    started(environment, GOOD)
    environment.done(StartInstance(environment.instance("web-1"), launch_s=3600.0))
    environment.done(environment.stop("web-1"))
    assert environment.seen().instances == ()


@BOTH
def test_what_is_in_flight_has_the_draining_time_and_no_longer(make: Make, manners: Manners) -> None:
    environment = make(alone, replace(manners, answer_s=None))
    environment.up("web-1", "web-2")
    (stop,) = planned(environment, StopInstance, 1)
    assert isinstance(stop, StopInstance)
    assert stop.drain_s == (manners.drain_s if manners.drain_s is not None else 2.0)
    held = environment.talk.hold(environment.key, environment.gateway, ("web-1", "web-2"), 1.5)
    environment.done(stop)
    assert set(held()) == ({200} if stop.drain_s >= 1.5 else {200, 502})


@BOTH
def test_one_that_ignores_the_request_to_end_is_killed_after_the_stopping_time(make: Make, manners: Manners) -> None:
    environment = make(alone, manners)
    environment.blueprint = replace(environment.blueprint, images={"web": environment.subject.image(STUBBORN)})
    environment.up("web-1", "web-2")
    (stop,) = planned(environment, StopInstance, 1)
    assert isinstance(stop, StopInstance)
    assert stop.stop_s == min(2.0, manners.stop_limit_s or 2.0)
    before = environment.seen().at
    environment.done(stop)
    assert environment.seen().instance(stop.id) is None
    assert environment.seen().at - before >= stop.stop_s


# The network.


def test_a_flow_to_the_internet_that_was_silent_for_too_long_meets_a_reset_as_aws(common: Environment) -> None:
    soon = Probe("web-1", "192.0.2.10", 443, TIMEOUT_S, listen=True, quiet_s=0.3)
    late = replace(soon, caller="web-2", quiet_s=4.5)
    first, second = probed(common, soon, late)
    assert first.seen is Seen.OPEN
    assert first.source is not None
    assert second.seen is (Seen.OPEN if common.manners.nat_idle_s is None else Seen.REFUSED)


def test_names_answer_with_every_address_in_turn_and_all_of_them_are_open(common: Environment) -> None:
    answers = [common.talk.resolve(common.key, "web-1", "api.internal") for _ in range(8)]
    assert {ttl for _, ttl in answers} == {common.manners.name_ttl_s}
    (addresses,) = {frozenset(found) for found, _ in answers}
    assert len(addresses) == common.manners.name_addresses
    assert {found[0] for found, _ in answers} == addresses  # each comes first now and then
    assert set(probe(common, *(Probe("web-1", str(one), 8080, TIMEOUT_S) for one in addresses))) == {Seen.OPEN}
    assert set(probe(common, *(Probe("base-1", str(one), 8080, TIMEOUT_S) for one in addresses))) == {Seen.SILENT}


def test_what_is_denied_is_silent_and_never_reset(common: Environment) -> None:
    address = str(common.instance("web-1").address)
    denied = probe(
        common,
        Probe("base-1", "web", 8080, TIMEOUT_S),
        Probe("base-1", address, 8080, TIMEOUT_S),
        Probe("web-1", "api", 22, TIMEOUT_S),
        Probe("web-1", str(common.instance("api-1").address), 22, TIMEOUT_S),
        Probe("web-1", "192.0.2.10", 80, TIMEOUT_S, listen=True),
        Probe("base-1", "192.0.2.10", 443, TIMEOUT_S, listen=True),
    )
    assert denied == [Seen.SILENT] * 6


def test_no_ping_passes_not_even_where_a_port_is_open(common: Environment) -> None:
    hosts = ("api", str(common.instance("api-1").address), "192.0.2.10")
    assert probe(common, Probe("web-1", "api", 8080, TIMEOUT_S)) == [Seen.OPEN]
    pings = (Probe("web-1", host, 0, TIMEOUT_S, kind=ProbeKind.PING) for host in hosts)
    assert probe(common, *pings) == [Seen.SILENT] * 3
    own = Probe("web-1", str(common.instance("web-1").address), 0, TIMEOUT_S, kind=ProbeKind.PING)
    assert probe(common, own) == [Seen.OPEN]  # so that an echo can be heard at all


def test_nobody_calls_itself_unless_it_is_declared(common: Environment) -> None:
    undeclared = probe(
        common,
        Probe("web-1", "web", 8080, TIMEOUT_S),
        Probe("web-1", str(common.instance("web-2").address), 8080, TIMEOUT_S),
    )
    assert undeclared == [Seen.SILENT] * 2
    declared = probe(
        common,
        Probe("api-1", "api", 8080, TIMEOUT_S),
        Probe("api-1", str(common.instance("api-2").address), 8080, TIMEOUT_S),
    )
    assert declared == [Seen.OPEN] * 2


# Changing them.


def test_other_manners_are_another_configuration_and_no_instance_notices(make: Make) -> None:
    environment = make(world, QUICK_TWIN)
    environment.up("web-1", "api-1")
    before = {one.id: one.since for one in environment.seen().instances}
    twins = environment.seen().configuration
    for manners in (QUICK_AWS, QUICK_TWIN):
        environment.manners = manners
        environment.done(Configure(environment.configuration))
        seen = environment.until(lambda seen: all(one.serving for one in seen.instances))
        assert {one.id: one.since for one in seen.instances} == before
        assert seen.configuration == environment.configuration.digest
        assert environment.talk.get(environment.key, environment.gateway) == 200
        assert probe(environment, Probe("web-1", "api", 8080, TIMEOUT_S)) == [Seen.OPEN]
        assert (seen.configuration == twins) == (manners is QUICK_TWIN)
