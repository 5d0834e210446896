"""Which networks a zone's fault cuts off."""

from ipaddress import IPv4Network
from typing import Any

from tests.unit.engines.local.render.sample import BANK, LAYOUT, LET_IN

from anden.engines.local.cell.faults import Faults
from anden.model.configuration import Configuration
from anden.model.fault import Fault, FaultKind, Outage


def cut(zone: str, of: Configuration) -> set[IPv4Network]:
    nothing: Any = None
    faults = Faults(nothing, {})
    faults._zones[zone] = (Fault(FaultKind.ZONE, zone, Outage.CUT), 1.0)
    return set(faults.down(of))


def test_a_zone_takes_along_what_the_other_side_of_a_link_dials_there() -> None:
    inside = cut("b", BANK)
    assert LAYOUT.zone("b").private in inside
    assert cut("b", LET_IN) == inside | {IPv4Network("100.64.10.22/32")}
