"""How what begins behind a link is tried from there, what the answers prove, and how a person reads it."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests.unit.planning.test_incoming import CORE, FAR, NEAR, drafted, let_in, topology

from anden.cli.render.egress import dialled, undeclared
from anden.cli.render.paint import Paint
from anden.control import hops, incoming
from anden.engines.simulated.reach import from_behind
from anden.engines.simulated.world import World
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.reach import Probe, Probed, Seen
from anden.model.report import LinksReport
from anden.planning import reachability
from anden.planning.configuration import configure

LET_IN = drafted(topology(let_in("ledger", 9443, NEAR, FAR)))
CLOSED = Caveat(EngineName.SIMULATED, "link core incoming", "closed: it is not raised yet", ("link:core",))


def dials(callee: str, blueprint: Blueprint = LET_IN) -> dict[str, tuple[str, int, str]]:
    path = reachability.path(blueprint, "link:core", callee, None, {}, ())
    found = incoming.dials(blueprint, blueprint.topology.links[0], path)
    return {zone: (each.host, each.port, str(each.source)) for zone, each in found.items()}


def test_a_service_that_is_let_in_is_dialled_in_every_zone_from_the_first_address_that_may() -> None:
    assert dials("ledger") == {"a": ("100.64.10.6", 9443, "10.20.4.1"), "b": ("100.64.10.22", 9443, "10.20.4.1")}


def test_one_that_is_not_let_in_is_dialled_on_its_own_port_or_at_its_own_address() -> None:
    assert dials("notices")["a"] == ("100.64.10.6", 8443, "10.20.4.1")
    taken = drafted(topology(let_in("ledger", 8443)))
    assert dials("notices", taken)["a"] == (str(taken.placement("notices").address), 8443, "10.20.4.1")
    assert dials("batch") == {}


def test_each_network_is_tried_in_each_zone_and_somebody_who_may_not() -> None:
    asked = list(incoming.questions(LET_IN, {}, ()))
    tried = (("10.20.4.1", True), ("10.20.8.1", True), ("10.20.0.1", False))
    assert [(proof.zone, proof.source, proof.admitted) for proof, _ in asked] == [
        (zone, source, admitted) for zone in ("a", "b") for source, admitted in tried
    ]
    assert all(probe is not None and str(probe.source) == proof.source for proof, probe in asked)


def test_nobody_is_left_who_may_not_where_all_of_the_link_may() -> None:
    whole = drafted(topology(let_in("ledger", 9443, *CORE.networks)))
    assert [proof.admitted for proof, _ in incoming.questions(whole, {}, ())] == [True, True]


def test_what_the_engine_closes_is_not_tried() -> None:
    asked = list(incoming.questions(LET_IN, {}, [CLOSED]))
    assert {(proof.verdict, proof.reason, probe) for proof, probe in asked} == {("blocked", CLOSED.text, None)}


@pytest.mark.parametrize(
    ("admitted", "seen", "verdict"),
    [
        (True, Seen.OPEN, "proved"), (True, Seen.SILENT, "silent"), (True, Seen.REFUSED, "silent"),
        (False, Seen.SILENT, "proved"), (False, Seen.OPEN, "opens"), (True, Seen.UNTRIED, "untried"),
    ],
)  # fmt: skip
def test_a_verdict_is_what_was_seen_against_what_was_declared(admitted: bool, seen: Seen, verdict: str) -> None:
    proof, probe = next(iter(incoming.questions(LET_IN, {}, ())))
    assert probe is not None
    assert incoming.verdict(replace(proof, admitted=admitted), Probed(probe, seen))[0] == verdict


def test_a_person_reads_who_dialled_whom_and_only_what_is_not_as_declared_counts() -> None:
    proofs = [replace(proof, verdict="proved") for proof, _ in incoming.questions(LET_IN, {}, ())]
    proofs[0], proofs[1] = (replace(proofs[0], verdict="silent"), replace(proofs[1], verdict="untried", reason="later"))
    report = LinksReport("bank", "dev", "local", 0.0, (), incoming=tuple(proofs))
    said = dialled(report, Paint(False))
    assert said[1].split() == ["✗", "core", "10.20.4.1", "100.64.10.6:9443", "a", "ledger", "silent"]
    assert said[2].split()[0] == "…"
    assert said[3].split()[-3:] == ["not", "ledger", "proved"]
    assert said[-1] == "4 of 6 tries from behind a link proved"
    assert undeclared(report) == (proofs[0],)


def test_a_live_probe_says_what_it_can_of_each_hop() -> None:
    path = reachability.path(LET_IN, "link:core", "ledger", None, {}, ())
    probe = Probe("link:core", "100.64.10.6", 9443, source=IPv4Address("10.20.4.1"))
    nothing = Observation(EnvironmentKey("bank", "dev", EngineName.LOCAL), 0.0, True)

    def said(seen: Seen) -> tuple[bool | None, ...]:
        return hops.seen(path, Probed(probe, seen), LET_IN, nothing)

    assert said(Seen.OPEN) == (True, True, True, True)
    assert said(Seen.SILENT) == (None, False, False, False)
    assert said(Seen.REFUSED) == (True, True, True, False), "the balancer took it, and has nobody"


def test_the_simulated_network_agrees_by_its_rules_alone() -> None:
    configuration = configure(LET_IN, None, ())
    world = World(configuration, "127.0.0.1:80")
    world.tethers.configure(configuration.links, 0.0)

    def seen(host: str, port: int, source: str) -> Seen:
        return from_behind(world, Probe("link:core", host, port, source=IPv4Address(source))).seen

    assert seen("100.64.10.22", 9443, "10.20.8.7") is Seen.SILENT, "no tunnel is up"
    world.tethers.datacentre = True
    world.tethers.pass_until(60.0, 0.0)
    assert seen("100.64.10.22", 9443, "10.20.8.7") is Seen.OPEN
    for host, port, source in (
        ("100.64.10.22", 9443, "10.20.9.7"),
        ("100.64.10.22", 8080, "10.20.8.7"),
        ("100.64.10.7", 9443, "10.20.8.7"),
    ):
        assert seen(host, port, source) is Seen.SILENT


def test_somebody_who_may_not_is_found_beside_who_may() -> None:
    first = IPv4Network("10.20.0.0/24")
    beside = drafted(topology(let_in("ledger", 9443, first)))
    strangers = {proof.source for proof, _ in incoming.questions(beside, {}, ()) if not proof.admitted}
    assert strangers == {"10.20.1.0"}
