"""Whether somebody may be invited to a link: only while nobody is on its other side. Two devices with one identity
would take the tunnels from each other, and the client's real one may carry traffic."""

from collections.abc import Iterator

from anden.engines.aws.links import IPSEC_UP, seen
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.link import LinkSeen
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology


def require_free(session: Session, key: EnvironmentKey, region: str, topology: Topology, link: str) -> None:
    """By the connection's telemetry, as it is now. Raises Problems: with every tunnel that stands, or AWS does not tell
    of any."""
    found = next((each for each in seen(session, key, region, topology) if each.name == link), None)
    if found is None:
        what, why = "AWS does not tell of its tunnels", "without them nobody knows whether their device is there"
        raise Problems(Problem(f"link {link}", what, why, f"See `anden link status {link} --on aws`, and try again."))
    if problems := list(_standing(found)):
        raise Problems(problems)


def _standing(link: LinkSeen) -> Iterator[Problem]:
    for tunnel in link.tunnels:
        # A session of BGP that is not there makes AWS call a tunnel down whose channels stand.
        channels = tunnel.problem is not None and IPSEC_UP in tunnel.problem.why
        if tunnel.up or channels:
            yield Problem(
                f"link {link.name}, tunnel {tunnel.number}",
                "it is up: somebody is on its other side",
                f"a second device with the identity {link.peer} would take the tunnel over from it",
                f"Have tunnel {tunnel.number} taken down on the device at {link.peer} first, for as long as somebody "
                "joins.",
            )
