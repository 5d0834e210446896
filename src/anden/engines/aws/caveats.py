"""What AWS does otherwise than the twin, for one topology. Pure. Each figure names AWS's page that documents it.

Only what is true of what the aws engine renders (one account, ECS Fargate, Service Connect, a regional REST API before
an internal ALB) and matters to what the manifest declares.
"""

import re
from collections.abc import Iterator, Sequence

from anden.engines.aws.render import backup, naming, waf
from anden.engines.aws.render.entrance import GATEWAY_TIMEOUT_S, Entrance, entrance
from anden.engines.aws.render.gateway import RATE
from anden.engines.aws.render.mesh import Mesh, mesh
from anden.engines.aws.render.target import KEYS_PATH
from anden.engines.aws.render.task import LONGEST_STOP_S
from anden.engines.aws.tables import prices
from anden.model.ids import EngineName
from anden.model.plan import Caveat
from anden.model.topology import (
    Destination,
    Egress,
    Issuer,
    Link,
    Protocol,
    Route,
    ScaleMetric,
    Service,
    Strategy,
    Topology,
)

UP = "up"
"""In `Caveat.withholds`: `anden up` is refused altogether."""
EDGE_ZONES = 2
"""Zones that an Application Load Balancer needs at least (ELB user guide, "Application Load Balancers: subnets")."""
TASK_START_S = (30, 60)
"""From the start of a task to its first healthy answer, as a rule of thumb: image pull, network interface, checks."""
LONG_S = 30
"""A `timeout` above the usual one is meant, and the entrance does not wait that long."""
MOST_BODY_MB = 10
"""What a REST API passes in either direction (API Gateway developer guide, "Quotas": payload size)."""
PROXY = "256 CPU units and 64 MB"
"""What AWS advises to add for the proxy (ECS developer guide, "Amazon ECS Service Connect components")."""
MOST_KEYS = 10
"""Keys of an issuer (Elastic Load Balancing user guide, "Verify JWTs using an Application Load Balancer")."""
_LIKE_A_SUFFIX = re.compile(r".*-.{6}")
"""Names that end as Secrets Manager ends its ARNs: asked for without the ending they are not found (Secrets Manager
API, "CreateSecret")."""
HOURS = 730.0
"""Of a month, as AWS's calculator counts them."""
MOST_AHEAD = 5
"""Names in a list before the rest is only counted."""


def caveats(topology: Topology) -> tuple[Caveat, ...]:
    """The differences, the environment's first, then by service and destination."""
    return tuple(Caveat(EngineName.AWS, subject, text, withholds) for subject, text, withholds in _all(topology))


BY_SHARES = (Strategy.CANARY, Strategy.LINEAR)
_Found = tuple[str, str, tuple[str, ...]]


def _all(topology: Topology) -> Iterator[_Found]:
    doors, calls = entrance(topology), mesh(topology)
    yield from _environment(topology)
    yield from _entrance(topology, doors)
    if (count := len(waf.rates(doors))) > waf.MOST_RATES:
        text = f"{count} are asked for, and a web ACL holds {waf.MOST_RATES} of them: leave some out"
        yield "rates", text, (UP,)
    yield from _together(topology.services)
    for service in topology.services:
        yield from _service(service, topology, doors, calls)
    yield from _inside(topology, calls)
    for place in topology.destinations:
        yield from _destination(place, topology)
    if topology.links:
        names = ", ".join(link.name for link in topology.links)
        yield f"link {names}", "addresses on AWS's side are known only after the first apply", ()
    if keyed := [link.name for link in topology.links if link.secret]:
        text = "AWS replaces a tunnel when its key is another, for minutes, and one at a time: rotate them one by one"
        yield f"link {', '.join(keyed)} keys", text, ()
    if certified := [link.name for link in topology.links if link.certificate]:
        text = (
            "AWS makes certificates of its own, of the same private authority; when the other side's ends, its device "
            "has to have another one of that authority: nothing here knows when"
        )
        yield f"link {', '.join(certified)} certificate", text, ()
    yield from _spoken([link for link in topology.links if link.bgp is not None])
    for link in topology.links:
        if link.incoming:
            text = "a port moves from one service to another in two changes: taken out, then let in; a listener has one"
            yield f"link {link.name} incoming", text, ()


def _spoken(links: Sequence[Link]) -> Iterator[_Found]:
    """Links that speak BGP."""
    if not links:
        return
    names = ", ".join(link.name for link in links)
    text = (
        "AWS announces every block of the VPC, also beside `seen-as`, and takes what is announced to it: their filter "
        "takes ours only (`anden link config`), and routes of ours lead to declared networks only"
    )
    yield f"link {names} BGP", text, ()
    if len(links) > 1:
        text = (
            "AWS passes on between them what each announces and sends (VPN CloudHub), through tunnels that carry"
            " everything: leave `bgp` out of all but one"
        )
        yield f"link {names} apart", text, (UP,)


def _environment(topology: Topology) -> Iterator[_Found]:
    if topology.region is None:
        yield "region", "AWS is many regions: say `region:` in the manifest, such as us-east-1", (UP,)
    if topology.zones < EDGE_ZONES:
        text = f"edge subnets in {EDGE_ZONES} zones all the same: an ALB needs them; instances stay in zone a"
        yield "zones", text, ()
    first, last = TASK_START_S
    yield "start", f"an instance takes {first}-{last} s until it serves; on the twin it takes well under a second", ()
    text = "seccomp profile and DNS search list are the platform's: Fargate takes no custom ones"
    yield "hardening", text, ()
    text = "ANDEN_INSTANCE and ANDEN_ZONE are not set: a task asks ECS who it is (ECS_CONTAINER_METADATA_URI_V4)"
    yield "env", text, ()
    if topology.production:
        text = (
            "nobody else has to approve what `up` does (`up --plan` does exactly what was saved); images are signed and"
            " scanned when they arrive, and run whatever was found"
        )
        yield "production", text, ()
    if topology.egress is not Egress.NONE:
        count = topology.zones if topology.egress is Egress.PER_ZONE else 1
        addresses = "an Elastic IP" if count == 1 else f"{count} Elastic IPs"
        text = f"{addresses} of the client's own, known after the first apply, and kept until they are released"
        yield "egress", text, ()
    if backup.wanted(topology):
        tag = f"{backup.TAG} = {topology.client}/{topology.environment}"
        text = f"the balancer's records, and what you tag {tag}, are copied to {topology.recovery} every day; no more"
        yield "recovery", text, ()


def _entrance(topology: Topology, doors: Entrance) -> Iterator[_Found]:
    """What comes in, and how."""
    if doors.hosts:
        where = naming.given(topology, "certificate")
        text = f"write the ARN of an ACM certificate for {', '.join(doors.hosts)} to the SSM parameter {where} first"
        yield "certificate", text, ()
    if doors.doors:
        text = (
            f"a web firewall refuses known attacks and more than {waf.MOST_FROM_ONE:,} requests of an address in"
            f" {waf.WINDOW_S // 60} minutes; all in all {RATE:,.0f} requests a second pass"
        )
        yield "gateway", text, ()
        text = (
            f"bodies over {MOST_BODY_MB} MB, WebSocket and gRPC do not pass a REST API: have large files go to S3"
            " by signed addresses, and news asked for"
        )
        yield "bodies", text, ()
        text = (
            "`traceparent` passes as it came and none is begun: X-Amzn-Trace-Id is AWS's own; what the gateway refuses"
            " is said in AWS's form, not as a problem (RFC 9457)"
        )
        yield "traces", text, ()
        text = "a slash at the end of a path does not arrive: /accounts/ is asked for as /accounts"
        yield "slash", text, ()


def _inside(topology: Topology, calls: Mesh) -> Iterator[_Found]:
    """Services among themselves."""
    pairs = [f"{caller.name} → {callee.name}" for caller in topology.services for callee in calls.callees[caller.name]]
    if not pairs:
        return
    text = "go by Service Connect, task to task: the caller's own proxy balances and retries, not a shared balancer"
    yield _listed(pairs), text, ()
    text = (
        "only SERVICE resolves, not SERVICE.internal; also what is not declared: there the caller's proxy answers 503"
    )
    yield "names", text, ()
    yield "proxy", f"it takes its share of each instance's size: AWS advises to add {PROXY}", ()
    asked = [s.name for s in topology.services if s.name in calls.served and s.route is None and s.health.path]
    if asked:
        text = (
            f"{_listed(asked)}: no path is asked; a task is healthy while it runs, and proxies pass by one that fails"
        )
        yield "health", text, ()
    rings = [f"{each.name} → {other}" for each in topology.services for other in calls.ring(each.name)]
    if rings:
        text = f"{_listed(rings)}: a task knows the names that were there when it was deployed; restart them once"
        yield "ring", text, ()


def _together(services: Sequence[Service]) -> Iterator[_Found]:
    """What is usually true of many services, in one line for all of them."""
    late = [service.name for service in services if service.route and service.timeout_s > GATEWAY_TIMEOUT_S]
    if late:
        text = f"{_listed(late)}: API Gateway cuts answers after {GATEWAY_TIMEOUT_S} s until a higher quota is granted"
        if any(service.timeout_s > LONG_S for service in services if service.route):
            text += "; or answer at once, and let clients ask again"
        yield "timeout", text, ()
    killed = [service.name for service in services if service.stop_s > LONGEST_STOP_S]
    if killed:
        text = f"{_listed(killed)}: killed after {LONGEST_STOP_S} s, for Fargate waits no longer than that"
        yield "stop", text, ()


def _tokens(service: Service, issuer: Issuer) -> str:
    keys = issuer.issuer.rstrip("/") + KEYS_PATH
    text = f"the balancer takes tokens signed by RS256 with one `aud`; {keys} is public, with {MOST_KEYS} keys at most"
    if issuer.keys_file is not None:
        text += f"; {issuer.keys_file} is the twin's only"
    if service.route is not None and service.route.scopes:
        text += "; scopes are read in `scope`, as one text"
    return text


def _service(service: Service, topology: Topology, doors: Entrance, calls: Mesh) -> Iterator[_Found]:
    door = doors.doors.get(service.name)
    if service.name in doors.none:
        yield f"{service.name} route", doors.none[service.name], (service.name,)
    if door is not None and door.closed:
        yield f"{service.name} route", door.closed, (service.name,)
    elif door is not None and door.issuer is not None:
        yield f"{service.name} auth", _tokens(service, door.issuer), ()
    if door is not None and not door.closed and service.route is not None:
        yield from _limits(service.name, service.route)
    if service.protocol is Protocol.HTTP2 and service.route is not None:
        text = "its route reaches it over HTTP/1.1, which it must speak too: API Gateway sends nothing else"
        yield f"{service.name} http2", text, ()
    if service.protocol is Protocol.TCP:
        text = "balanced by connection, and no latency or status is measured (Service Connect without appProtocol)"
        yield f"{service.name} tcp", text, ()
    if door is not None and not door.closed and service.health.path is None:
        text = "an ALB cannot only connect: it asks GET, and any answer below 500 is healthy"
        yield f"{service.name} health", text, ()
    if service.scale is not None and service.scale.metric is ScaleMetric.REQUESTS:
        yield f"{service.name} scale", _scale(service, door is not None and not door.closed, calls), ()
    if service.secrets:
        names = sorted({naming.secret_name(topology, name) for name in service.secrets.values()})
        text = (
            f"from Secrets Manager, by reference: {_listed(names)}; as variables, so that another version is another"
            " task definition"
        )
        yield f"{service.name} secrets", text, ()
        if files := sorted(place for place in service.secrets if place.startswith("/")):
            text = f"{_listed(files)}: Fargate hands secrets out as variables only: use a variable on AWS"
            yield f"{service.name} secret files", text, (UP,)
        bad = sorted({name for name in service.secrets.values() if _LIKE_A_SUFFIX.fullmatch(name)})
        if bad:
            text = (
                f"{_listed(bad)}: a dash and six characters is how Secrets Manager ends its own names: choose another"
            )
            yield f"{service.name} secret names", text, (UP,)
    if service.strategy is not Strategy.ROLLING:
        yield from _strategy(service, door is not None and door.issuer is not None, calls)


def _limits(name: str, route: Route) -> Iterator[_Found]:
    """What the twin's gateway upholds of a route, and AWS's otherwise."""
    for rate, whose in ((route.rate_each, "of one address"), (route.rate, "in all")):
        if rate is None:
            continue
        per_minute = rate.count * waf.LEAST_WINDOW_S // rate.window_s
        text = f"{rate} {whose} is counted by the minute, and refused some seconds late (WAF)"
        if per_minute < waf.LEAST:
            text += f"; {waf.LEAST} pass at least"
        yield f"{name} rate", text, ()
    if route.body_bytes is not None:
        text = f"bodies of more than {route.body_bytes:,} bytes are not refused there: {MOST_BODY_MB} MB are the end"
        yield f"{name} body", text, ()
    if route.cors is not None:
        text = "nobody answers a browser's preflight there, nor says who may read an answer: the service has to"
        if route.auth is not None:
            text += ", and cannot, for a preflight has no token: pages of other origins do not get in"
        yield f"{name} cors", text, ()


def _scale(service: Service, routed: bool, calls: Mesh) -> str:
    if not routed and (service.name not in calls.served or service.protocol is Protocol.TCP):
        return "nothing there measures its requests: it stays at its level"
    text = "requests in flight are computed of a minute's requests and durations: three minutes until it grows"
    return f"{text}; what other services send it is not counted" if routed and service.name in calls.served else text


def _strategy(service: Service, guarded: bool, calls: Mesh) -> Iterator[_Found]:
    if guarded:
        text = f"{service.strategy} moves no traffic where the balancer checks tokens (ECS): use rolling"
        yield f"{service.name} deploy", text, (UP,)
    elif service.strategy in BY_SHARES and service.route is None and service.name not in calls.served:
        text = f"{service.strategy} moves shares of requests, and nobody asks it: use rolling or blue-green"
        yield f"{service.name} deploy", text, (UP,)
    else:
        text = f"{service.strategy} is ECS's own, with twice the instances for a while"
        if service.route is not None:
            text += "; to change its route, deploy that change rolling, for the rule's weights are ECS's"
        yield f"{service.name} deploy", text, ()


def _destination(place: Destination, topology: Topology) -> Iterator[_Found]:
    if place.link is None and topology.egress is Egress.NONE:
        yield place.name, "egress is none: no NAT gateway is made, and nothing leaves", (place.name,)
    elif place.host is not None and place.link is None:
        text = (
            f"security groups match no names: DNS Firewall lets only {place.host} resolve (default deny),"
            f" and port {place.port} is open to every address: a program that has an address written in it reaches any"
            f" host there by that port, whatever its name{_whose(place, topology)}; only Network Firewall would look at"
            f" names, {_watched(topology)}"
        )
        yield place.name, text, ()


def _whose(place: Destination, topology: Topology) -> str:
    """Whose programs: the groups of all others let nothing out by that port."""
    names = [str(each.name) for each in topology.services if place.name in each.reaches]
    return f", out of {_listed(names)} and no other service" if names else ""


def _watched(topology: Topology) -> str:
    """What it would cost to have names looked at: an endpoint of Network Firewall in each zone that leaves."""
    known = prices().regions.get(topology.region or "", {})
    if "names-hour" not in known or "names-gb" not in known:
        return "at a price (none is known here for the region)"
    zones = topology.zones if topology.egress is Egress.PER_ZONE else 1
    month = known["names-hour"] * HOURS * zones
    return f"for about ${month:,.0f} a month ({zones} of its endpoints) and ${known['names-gb']:g} a GB"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_AHEAD
    return ", ".join(names[:MOST_AHEAD]) + (f" and {more} more" if more > 0 else "")
