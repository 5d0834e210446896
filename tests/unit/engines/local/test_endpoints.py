"""Where the twin's endpoints stand."""

import pytest

from anden.engines.local.caveats import FIRST_FIXED, FIXED, ZONES
from anden.engines.local.endpoints import endpoints, station
from anden.manifest.grammar import MOST_LINKS
from anden.model.topology import TUNNELS

MOST_NUMBERS = 2 * MOST_LINKS
"""While a change is in flight, those of links that go are not given to others."""
LONGEST_INTERFACE = 15


def test_every_endpoint_has_addresses_of_its_own() -> None:
    made = [each for number in range(1, MOST_NUMBERS + 1) for each in endpoints(number, TUNNELS)]
    outer = {each.address for each in made}
    assert len(outer) == len(made) == MOST_NUMBERS * TUNNELS
    assert len({each.inside for each in made}) == len(made)
    assert all(address in FIXED for address in outer if address is not None)
    leaving = {FIXED.network_address + FIRST_FIXED + number for number in range(len(ZONES) + 1)}
    assert not outer & leaving


@pytest.mark.parametrize("number", [0, -1, 78])
def test_a_number_that_no_link_has_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="no link has the number"):
        endpoints(number, TUNNELS)


def test_a_station_is_named_as_an_interface_can_be() -> None:
    names = {station(number, tunnel + 1) for number in range(1, MOST_NUMBERS + 1) for tunnel in range(TUNNELS)}
    assert len(names) == MOST_NUMBERS * TUNNELS
    assert all(len(name) <= LONGEST_INTERFACE for name in names)
