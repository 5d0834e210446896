"""What the simulated engine cannot do the same way. It is as strict as the twin: what that withholds, it does too."""

from collections.abc import Iterator

from anden.model.ids import EngineName
from anden.model.plan import Caveat
from anden.model.topology import Strategy, Topology

UP = "up"
"""In `Caveat.withholds`: `anden up` is refused altogether. (A service of this name is closed by its own name too.)"""


def caveats(topology: Topology) -> tuple[Caveat, ...]:
    """The differences that matter to this topology."""
    return tuple(_all(topology))


def _all(topology: Topology) -> Iterator[Caveat]:
    yield _caveat("containers", "nothing really runs: instances start, answer and fail by a table, in virtual time")
    keyed = {issuer.name for issuer in topology.auth if issuer.keys}
    for service in topology.services:
        if service.route and service.route.auth and service.route.auth not in keyed:
            yield _caveat(
                f"{service.name} {service.route.path}",
                f"answers 503: the issuer's keys ({service.route.auth}) are not fetched here, and no file has them",
                service.name,
            )
        if service.strategy is not Strategy.ROLLING:
            yield _caveat(f"{service.name} deploy", f"{service.strategy} comes later: only rolling is there yet", UP)
    for place in topology.destinations:
        if place.link is not None:
            yield _caveat(place.name, f"closed: link {place.link} is not raised yet", place.name)
    for link in topology.links:
        if link.incoming:
            yield _caveat(f"link {link.name} incoming", "closed: it is not raised yet", link.caller)


def _caveat(subject: str, text: str, *withholds: str) -> Caveat:
    return Caveat(EngineName.SIMULATED, subject, text, withholds)
