"""What AWS does otherwise than the twin, for one topology. Pure. Each figure names AWS's page that documents it.

Only what is true of the design that the aws engine will follow (one account, ECS Fargate, Service Connect, a regional
REST API before an internal ALB) and matters to what the manifest declares.
"""

from collections.abc import Iterator, Sequence

from anden.model.ids import EngineName
from anden.model.plan import Caveat
from anden.model.topology import Destination, Egress, Protocol, Service, Strategy, Topology

UP = "up"
"""In `Caveat.withholds`: `anden up` is refused altogether."""
EDGE_ZONES = 2
"""Zones that an Application Load Balancer needs at least (ELB user guide, "Application Load Balancers: subnets")."""
TASK_START_S = (30, 60)
"""From the start of a task to its first healthy answer, as a rule of thumb: image pull, network interface, checks."""
LONGEST_STOP_S = 120
"""The longest `stopTimeout` of a Fargate task (ECS developer guide, "Container definitions")."""
GATEWAY_TIMEOUT_S = 29
"""API Gateway's integration timeout for a regional REST API, until a higher quota is asked for (its "Quotas" page)."""
MOST_AHEAD = 5
"""Names in a list before the rest is only counted."""


def caveats(topology: Topology) -> tuple[Caveat, ...]:
    """The differences, the environment's first, then by service and destination."""
    return tuple(Caveat(EngineName.AWS, subject, text, withholds) for subject, text, withholds in _all(topology))


_Found = tuple[str, str, tuple[str, ...]]


def _all(topology: Topology) -> Iterator[_Found]:
    yield from _environment(topology)
    yield from _together(topology.services)
    for service in topology.services:
        yield from _service(service)
    calls = [
        f"{caller.name} → {name}" for caller in topology.services for name in caller.reaches if name in _names(topology)
    ]
    if calls:
        text = "go by Service Connect, task to task: the caller's own proxy balances and retries, not a shared balancer"
        yield _listed(calls), text, ()
    for place in topology.destinations:
        yield from _destination(place, topology)
    if topology.links:
        names = ", ".join(link.name for link in topology.links)
        yield f"link {names}", "addresses on AWS's side are known only after the first apply", ()


def _names(topology: Topology) -> frozenset[str]:
    return frozenset(service.name for service in topology.services)


def _environment(topology: Topology) -> Iterator[_Found]:
    if topology.zones < EDGE_ZONES:
        text = f"edge subnets in {EDGE_ZONES} zones all the same: an ALB needs them; instances stay in zone a"
        yield "zones", text, ()
    first, last = TASK_START_S
    yield "start", f"an instance takes {first}-{last} s until it serves; on the twin it takes well under a second", ()
    text = "seccomp profile and DNS search list are the platform's: Fargate takes no custom ones"
    yield "hardening", text, ()
    if topology.egress is not Egress.NONE:
        count = topology.zones if topology.egress is Egress.PER_ZONE else 1
        addresses = "an Elastic IP" if count == 1 else f"{count} Elastic IPs"
        text = f"{addresses} of the client's own, known after the first apply and retained"
        yield "egress", text, ()


def _together(services: Sequence[Service]) -> Iterator[_Found]:
    """What is usually true of many services, in one line for all of them."""
    late = [service.name for service in services if service.route and service.timeout_s > GATEWAY_TIMEOUT_S]
    if late:
        text = f"{_listed(late)}: API Gateway cuts answers after {GATEWAY_TIMEOUT_S} s until a higher quota is granted"
        yield "timeout", text, ()
    written = [service.name for service in services if service.writable]
    if written:
        text = f"{_listed(written)}: an ephemeral volume on disk and not memory, which counts for no instance's size"
        yield "writable", text, ()
    killed = [service.name for service in services if service.stop_s > LONGEST_STOP_S]
    if killed:
        text = f"{_listed(killed)}: killed after {LONGEST_STOP_S} s, for Fargate waits no longer than that"
        yield "stop", text, ()


def _service(service: Service) -> Iterator[_Found]:
    if service.protocol is Protocol.TCP and service.route is not None:
        text = "a route is HTTP: API Gateway and the ALB pass no bare TCP"
        yield f"{service.name} route", text, (service.name,)
    if service.protocol is Protocol.HTTP2 and service.route is not None:
        text = "its route reaches it over HTTP/1.1, which it must speak too: API Gateway sends nothing else"
        yield f"{service.name} http2", text, ()
    if service.protocol is Protocol.TCP:
        text = "balanced by connection, and no latency or status is measured (Service Connect without appProtocol)"
        yield f"{service.name} tcp", text, ()
    if service.strategy is not Strategy.ROLLING:
        yield f"{service.name} deploy", f"{service.strategy} comes later: only rolling is there yet", (UP,)


def _destination(place: Destination, topology: Topology) -> Iterator[_Found]:
    if place.host is not None and place.link is None:
        text = (
            f"security groups match no names: DNS Firewall lets only {place.host} resolve (default deny),"
            f" and port {place.port} is open to every address"
        )
        yield place.name, text, ()
    elif place.link is None and topology.egress is Egress.NONE:
        yield place.name, "egress is none: no NAT gateway is made, and nothing leaves", (place.name,)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_AHEAD
    return ", ".join(names[:MOST_AHEAD]) + (f" and {more} more" if more > 0 else "")
