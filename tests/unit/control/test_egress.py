"""What the other side should see of whoever leaves."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from tests.unit.planning.topologies import destination, drafted, service, topology

from anden.control.egress import Question, proof, questions
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.reach import Probe, Probed, Seen
from anden.model.topology import Egress, Link

FIXED, SEEN_AS = IPv4Address("198.51.100.11"), IPv4Network("100.64.10.0/26")
PROBE = Probe("web-1", "10.20.4.17", 8443, listen=True)


def declared(seen_as: IPv4Network | None, link: str | None) -> IPv4Address | IPv4Network | None:
    core = Link("core", IPv4Address("203.0.113.1"), (IPv4Network("10.20.0.0/16"),), ("a", "b"), seen_as)
    place = destination("core-api", "10.20.4.17/32", 8443, link)
    one = topology(service("web", reaches=("core-api",)), destinations=(place,), links=(core,), egress=Egress.ONE)
    draft = drafted(one)
    draft = replace(draft, facts=replace(draft.facts, egress={"*": FIXED}))
    seen = Observation(EnvironmentKey("banco-andino", "certification", EngineName.SIMULATED), 0.0, True)
    [question] = questions(draft, seen, {}, ())
    return question.declared


def test_over_a_link_it_is_seen_as_and_not_the_fixed_address() -> None:
    assert declared(None, None) == FIXED
    assert declared(SEEN_AS, "core") == SEEN_AS
    own = declared(None, "core")
    assert isinstance(own, IPv4Network)
    assert own != SEEN_AS


@pytest.mark.parametrize(
    ("told", "source", "verdict"),
    [
        (SEEN_AS, "100.64.10.9", "proved"), (SEEN_AS, "198.51.100.11", "differs"), (FIXED, "198.51.100.11", "proved"),
        (FIXED, "198.51.100.12", "differs"), (None, "198.51.100.12", "differs"),
    ],
)  # fmt: skip
def test_what_lies_in_the_declared_network_proves_it(
    told: IPv4Address | IPv4Network | None, source: str, verdict: str
) -> None:
    question = Question("web", "a", "core-api", told, PROBE)
    found = proof(question, {PROBE: Probed(PROBE, Seen.OPEN, IPv4Address(source))})
    assert found.verdict == verdict
    assert found.declared == (str(told) if told else None)
