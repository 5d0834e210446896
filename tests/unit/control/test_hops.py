"""What one probe says of each hop."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests.unit.planning.topologies import destination, drafted, service, topology
from tests.unit.planning.world import observed, running

from anden.control.hops import seen
from anden.model.blueprint import Facts
from anden.model.reach import Probe, Probed, Seen
from anden.model.topology import Egress
from anden.planning.reachability import path

FIXED = IPv4Address("198.51.100.10")
BANK = replace(
    drafted(
        topology(
            service("accounts", reaches=("ledger", "exchange")),
            service("ledger", 9000),
            destinations=(destination("exchange", "api.exchange.example"),),
            egress=Egress.ONE,
        )
    ),
    facts=Facts({"*": FIXED}),
)
SEEN = observed([running(BANK, "accounts", 1), running(BANK, "ledger", 1)])


def judged(callee: str, what: Seen, source: IPv4Address | None = None, direct: Seen | None = None) -> list[bool | None]:
    way = path(BANK, "accounts", callee, None, {}, ())
    probe = Probe("accounts-1", callee, way.port)
    other = None if direct is None else Probed(probe, direct)
    return list(seen(way, Probed(probe, what, source), BANK, SEEN, other))


@pytest.mark.parametrize(
    ("what", "source", "hops"),
    [
        (Seen.OPEN, FIXED, [True, True, True, True, True, True]),
        (Seen.OPEN, IPv4Address("198.51.100.99"), [True, True, True, True, False, True]),
        (Seen.UNRESOLVED, None, [True, False, None, None, None, False]),
        (Seen.SILENT, None, [True, True, False, None, None, False]),
        (Seen.REFUSED, None, [True, True, True, True, None, False]),
    ],
)
def test_a_name_outside(what: Seen, source: IPv4Address | None, hops: list[bool | None]) -> None:
    assert judged("exchange", what, source) == hops


@pytest.mark.parametrize(
    ("what", "direct", "hops"),
    [
        (Seen.OPEN, Seen.OPEN, [True, True, True, True]),
        (Seen.SILENT, Seen.OPEN, [True, True, False, True]),
        (Seen.SILENT, Seen.SILENT, [True, False, None, False]),
    ],
)
def test_a_service_by_its_name_and_by_its_instance(what: Seen, direct: Seen, hops: list[bool | None]) -> None:
    assert judged("ledger", what, None, direct) == hops
