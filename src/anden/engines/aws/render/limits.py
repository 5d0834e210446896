"""What AWS refuses of names, networks and links whatever its quotas: said before anything is made.

Quotas, which can be raised, are preflight's. What the manifest checks already (overlaps, private ranges) is not
repeated, except where a topology may come from elsewhere.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from anden.engines.aws.render.naming import RESERVED_ENVIRONMENTS
from anden.engines.aws.render.seen_as import NARROWEST_SUBNET, parts_of
from anden.model.mark import Marks
from anden.model.problem import Problem
from anden.model.topology import REHEARSAL, TUNNELS, Link, Strategy, Topology
from anden.planning.addressing import WIDEST_PREFIX
from anden.planning.places import where, where_of

RFC_1918 = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
SHARED = IPv4Network("100.64.0.0/10")
"""RFC 6598: what every VPC may add, whatever it was made with."""
CROSS_ACCOUNT = IPv4Network("198.19.0.0/16")
"""AWS's services use it between accounts: no VPC of a private range may add it."""
DEFAULT_VPC = IPv4Network("172.31.0.0/16")
LOWEST, LOWEST_TWO = IPv4Network("10.0.0.0/16"), IPv4Network("10.0.0.0/15")
LINK_LOCAL = IPv4Network("169.254.0.0/16")
"""AWS takes the tunnels' inside addresses from here, and chooses them: so no manifest can name one that is reserved
(169.254.0.0/30 to 169.254.5.0/30, 169.254.169.252/30; EC2 API, "VpnTunnelOptionsSpecification")."""
CERTIFICATE = re.compile(
    r"arn:aws[a-zA-Z-]*:acm:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):certificate/[a-zA-Z0-9_-]+"
)
MOST_TARGET_GROUPS = 5
"""Of an ECS service (ECS developer guide, "Registering multiple target groups with an Amazon ECS service")."""
_RESTRICTIONS = 'VPC user guide, "IPv4 CIDR block association restrictions"'


def problems(topology: Topology, network: IPv4Network | None = None, marks: Marks | None = None) -> tuple[Problem, ...]:
    """Everything that AWS would refuse. network: the one that planning allocated, where the manifest declares none;
    without either, what depends on it is not looked at."""
    own = topology.network or network
    known = marks if marks is not None else {}
    found: list[Problem] = [*_name(topology, known)]
    for link in topology.links:
        found += _link(topology, known, link)
        if link.seen_as is not None:
            found += _seen_as(topology, known, link, link.seen_as, own)
    found += _together(topology, known)
    found += _let_in(topology, known)
    return tuple(found)


def _let_in(topology: Topology, marks: Marks) -> Iterator[Problem]:
    """What comes in over a link ends in a target group of the service's own, which ECS fills."""
    routed: dict[str, int] = {service.name: int(service.route is not None) for service in topology.services}
    for link in topology.links:
        for one in link.incoming:
            where = where_of(topology, marks, f"links/{link.name}/incoming/{one.service}")
            service = topology.service(one.service)
            if service is None:
                continue
            if service.strategy is not Strategy.ROLLING:
                yield Problem(
                    where,
                    f"{service.name} is let in, and its versions take over by {service.strategy}",
                    "traffic that is dialled over a link is not moved between two target groups here",
                    f"Set deploy of {service.name} to rolling.",
                )
            routed[service.name] += 1
            if routed[service.name] == MOST_TARGET_GROUPS + 1:
                yield Problem(
                    where,
                    f"{service.name} would be in {routed[service.name]} target groups",
                    f"ECS registers a service in {MOST_TARGET_GROUPS} at most; its route takes one, each link another",
                    "Let a service of its own in by some of the links.",
                )


def _name(topology: Topology, marks: Marks) -> Iterator[Problem]:
    name = topology.environment
    if name in RESERVED_ENVIRONMENTS:
        yield Problem(
            where(marks, f"environments/{name}"), f"no environment can be called {name} on AWS",
            "stacks, tags or keys of the client's account have that name", "Choose another name.",
        )  # fmt: skip


def _link(topology: Topology, marks: Marks, link: Link) -> Iterator[Problem]:
    place = f"links/{link.name}"
    if any(link.peer in private for private in (*RFC_1918, SHARED, LINK_LOCAL)):
        yield Problem(
            where_of(topology, marks, f"{place}/peer"),
            f"{link.peer} cannot be reached from AWS",
            "a customer gateway is found over the internet, by a static public address",
            "Use the public address of the device (the one outside of its NAT, if there is one).",
        )
    if link.certificate == REHEARSAL:
        yield Problem(
            where_of(topology, marks, f"{place}/certificate"),
            f"the link {link.name} has a certificate for a rehearsal only",
            "AWS proves itself by AWS Private CA, and has to be told the certificate of the other side's device",
            "Have one issued by a private authority of the environment's account (AWS Private CA), and name its ARN.",
        )
    elif link.certificate is not None:
        yield from _certificate(topology, marks, link, link.certificate)
    elif len(link.secret) != TUNNELS:
        yield Problem(
            where_of(topology, marks, f"{place}/secret"),
            f"{len(link.secret)} keys for {TUNNELS} tunnels",
            "every VPN connection of AWS has two tunnels, each with a key of its own",
            "Name a secret for each.",
        )
    for network in link.networks:
        if network.overlaps(LINK_LOCAL):
            yield Problem(
                where_of(topology, marks, f"{place}/networks"),
                f"{network} overlaps {LINK_LOCAL}",
                "the tunnels' own addresses lie there, and no route leads there",
                "Leave it out.",
            )


def _certificate(topology: Topology, marks: Marks, link: Link, arn: str) -> Iterator[Problem]:
    found = CERTIFICATE.fullmatch(arn)
    own = {"region": topology.region, "account": topology.account}
    other = [] if found is None else [what for what, its in own.items() if its is not None and found[what] != its]
    if found is None or other:
        what = f"the certificate is of another {' and '.join(other)}" if other else f"{arn} is no certificate of ACM"
        why = "a customer gateway takes one of ACM, of its own account and region"
        yield Problem(
            where_of(topology, marks, f"links/{link.name}/certificate"), what, why, "Name the ARN of such a one."
        )


def _seen_as(
    topology: Topology, marks: Marks, link: Link, block: IPv4Network, own: IPv4Network | None
) -> Iterator[Problem]:
    where = where_of(topology, marks, f"links/{link.name}/seen-as")
    zones = topology.zones
    prefix = NARROWEST_SUBNET - (zones - 1).bit_length()
    if len(parts_of(block)) < zones:
        yield Problem(
            where, f"{block} is too small for {zones} zone{'s' * (zones > 1)}",
            f"each zone needs a /{NARROWEST_SUBNET} of it, the smallest subnet of AWS",
            f"Use a /{prefix}.",
        )  # fmt: skip
    if block.prefixlen < WIDEST_PREFIX:
        yield Problem(
            where, f"{block} is too large", f"it becomes a block of the VPC, a /{WIDEST_PREFIX} at most",
            f"Use a /{prefix}: a private NAT gateway needs one address of each zone's part.",
        )  # fmt: skip
    covered = next((each for each in _routed(topology) if block.supernet_of(each)), None)
    if covered is not None:
        yield Problem(
            where, f"{block} covers {covered}, which a route leads to",
            "a VPC adds no block that is the same as or larger than a route of its tables",
            "Use a block that nothing else lies in.",
        )  # fmt: skip
    why = None if own is None else _refused(own, block)
    if why is not None:
        yield Problem(
            where, f"AWS does not add {block} to a VPC of {own}", f"{why} ({_RESTRICTIONS})",
            f"Use a block of {SHARED}, such as 100.64.10.0/{prefix}: every VPC takes one.",
        )  # fmt: skip


def _refused(own: IPv4Network, block: IPv4Network) -> str | None:
    """Why a VPC of `own` cannot add `block`; None: it can."""
    home, other = _range(own), _range(block)
    reasons = (
        (block.overlaps(LINK_LOCAL), "link-local addresses are nobody's to assign"),
        (block.overlaps(own), "they overlap"),
        (block.overlaps(CROSS_ACCOUNT), f"{CROSS_ACCOUNT} is used by AWS's services"),
        (other is not None and home is not None and home != other, f"a VPC of {home} adds nothing of {other}"),
        (other is not None and home is None, f"it adds nothing of {other}"),
        (home == RFC_1918[1] and block.overlaps(DEFAULT_VPC), f"{DEFAULT_VPC} is kept for default VPCs"),
        (own.subnet_of(LOWEST_TWO) and block.overlaps(LOWEST), f"a VPC of {LOWEST_TWO} adds nothing of {LOWEST}"),
    )
    return next((why for wrong, why in reasons if wrong), None)


def _range(network: IPv4Network) -> IPv4Network | None:
    """The range of RFC 1918 that it lies in; None: in none."""
    return next((each for each in RFC_1918 if network.subnet_of(each)), None)


def _routed(topology: Topology) -> Iterator[IPv4Network]:
    for link in topology.links:
        yield from link.networks


def _together(topology: Topology, marks: Marks) -> Iterator[Problem]:
    """A route table has one route to a network, and blocks of one VPC must suit each other."""
    owner: dict[IPv4Network, str] = {}
    blocks: list[tuple[str, IPv4Network]] = []
    for link in topology.links:
        for network in link.networks:
            first = owner.setdefault(network, link.name)
            if first != link.name:
                yield Problem(
                    where_of(topology, marks, f"links/{link.name}/networks"),
                    f"{network} lies behind {first} as well",
                    "a network is reached by one link",
                    "Give it to one of them.",
                )
        if link.seen_as is None:
            continue
        for other, block in blocks:
            why = _apart(block, link.seen_as)
            if why is not None:
                yield Problem(
                    where_of(topology, marks, f"links/{link.name}/seen-as"),
                    f"AWS does not add {link.seen_as} beside {block}, of {other}",
                    f"{why} ({_RESTRICTIONS})",
                    f"Use blocks of {SHARED} for both, apart from each other.",
                )
        blocks.append((link.name, link.seen_as))


def _apart(one: IPv4Network, other: IPv4Network) -> str | None:
    """Why one VPC cannot add both blocks, in whichever order; None: it can."""
    if one.overlaps(other):
        return "they overlap"
    for low, beside in ((one, other), (other, one)):
        if low.overlaps(LOWEST) and beside.subnet_of(LOWEST_TWO):
            return f"a VPC with a block of {LOWEST_TWO} adds nothing of {LOWEST}"
    return None
