"""The questions: may this one open that one, and which hop stops it?

Every subnet that a caller's tasks may be in is tried against every one of the callee's, and an address at either end of
what a rule may cut: a path that is open from one zone only is no open path, and `partly` says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from tests.parity.dialled import Doors
from tests.parity.entrance import Entrance
from tests.parity.groups import Groups
from tests.parity.network import Network
from tests.parity.services import EcsService, services
from tests.parity.symbols import Id, World

FIREWALL, ACL, NAME, INSTANCE, BALANCER, PARTLY = "firewall", "acl", "name", "instance", "balancer", "partly"
NOBODY = "nobody"
ANYBODY = tuple(IPv4Address(each) for each in ("1.1.1.1", "93.184.216.34", "203.0.113.77", "223.255.255.254"))
"""Addresses that a name of somebody's on the internet may turn out to have."""


class Answer(NamedTuple):
    """stop: the hop that ends it, empty when it is open. by: `nat` or `link`, where it leaves the VPC. sources: what
    the other side sees of it."""

    stop: str = ""
    why: str = ""
    by: str = ""
    sources: frozenset[Id | IPv4Network] = frozenset()

    @property
    def open(self) -> bool:
        """Whether it may."""
        return not self.stop


class Reached(NamedTuple):
    """Where a request ends: at a service, or at the hop that ended it."""

    service: str = ""
    stop: str = ""
    why: str = ""
    checks: tuple[str, ...] = ()
    path: str = ""


class Ground:
    """The templates of an environment, by stack name, ready to be asked."""

    def __init__(self, templates: Mapping[str, Mapping[str, Any]]) -> None:
        world = World(templates)
        self.world = world
        self.groups, self.network, self.entrance = Groups(world), Network(world), Entrance(world)
        self.services = services(world)
        self.doors = Doors(world, self.groups, self.network, self.services)

    # Among services.

    def to_service(self, caller: str, callee: str, port: int) -> Answer:
        """From a service's tasks to another's, by its name."""
        ours, theirs = self.services[caller], self.services[callee]
        return _together(
            self._pair(ours, theirs, here, there, port) for here in ours.subnets for there in theirs.subnets
        )

    def _pair(self, ours: EcsService, theirs: EcsService, here: Id, there: Id, port: int) -> Answer:
        for address in _ends(self.network.subnets[there]):
            if not self.groups.lets_out(ours.groups, theirs.groups, address, port):
                return Answer(FIREWALL, f"nothing lets {ours.name} out to {theirs.name}:{port}")
        for address in _ends(self.network.subnets[here]):
            if not self.groups.lets_in(theirs.groups, ours.groups, address, port):
                return Answer(FIREWALL, f"nothing lets {ours.name} in to {theirs.name}:{port}")
        if why := self.network.refused(here, there, port):
            return Answer(ACL, why)
        if port not in theirs.ports:
            return Answer(INSTANCE, f"{theirs.name} does not listen on {port}")
        if ours.namespace is None or ours.namespace != theirs.namespace:
            return Answer(NAME, f"{ours.name} and {theirs.name} are not in one namespace")
        if not any(each.name == theirs.name and each.port == each.leads_to == port for each in theirs.aliases):
            return Answer(NAME, f"{theirs.name}:{port} is no name")
        return Answer()

    # Out.

    def to_network(self, caller: str, network: IPv4Network, port: int) -> Answer:
        """From a service's tasks to addresses outside."""
        ours = self.services[caller]
        cut = {
            edge
            for group in ours.groups
            for rule in self.groups.leaves.get(group, ())
            if isinstance(rule.peer, IPv4Network) and not _itself(rule.peer)
            for edge in (rule.peer[0], rule.peer[-1])
            if edge in network
        }
        # What lies behind a link is meant only where it is asked for itself.
        links = [behind for behind in self.network.behind if not network.subnet_of(behind)]
        addresses = [
            address
            for address in sorted({*_ends(network), *cut})
            if not self._inside(address) and not any(address in behind for behind in links)
        ]
        return _together(self._out(ours, here, address, port) for here in ours.subnets for address in addresses)

    def to_host(self, caller: str, host: str, port: int) -> Answer:
        """From a service's tasks to somebody on the internet, by name."""
        ours = self.services[caller]
        found = _together(self._out(ours, here, address, port) for here in ours.subnets for address in ANYBODY)
        if found.open and not self.network.resolves(host):
            return Answer(NAME, f"{host} does not resolve")
        return found

    def _out(self, ours: EcsService, here: Id, address: IPv4Address, port: int) -> Answer:
        if not self.groups.lets_out(ours.groups, (), address, port):
            return Answer(FIREWALL, f"nothing lets {ours.name} out to {address}:{port}")
        way = self.network.out(here, address, port, public=ours.public)
        return Answer(way.stop, way.why, way.by, frozenset(way.sources))

    def _inside(self, address: IPv4Address) -> bool:
        return any(address in block for block in self.network.inside)

    # In.

    def request(self, host: str, path: str) -> Reached:
        """Where a request from the internet ends, at one of the gateway's own names, or `default`."""
        found = set()
        for passed in self.entrance.passed(host, path):
            if passed.stop:
                return Reached(stop="gateway", why=passed.stop)
            listener = self.entrance.listeners.get((passed.balancer, passed.port)) if passed.balancer else None
            if listener is None:
                return Reached(stop=BALANCER, why=f"no listener on {passed.port}")
            why = self._between(self.entrance.placed(passed.link), self.entrance.placed(passed.balancer), passed.port)
            if why:
                return Reached(stop=FIREWALL, why=f"gateway to balancer: {why}")
            found.add(self.asked(listener, passed.host, passed.path))
        if len(found) > 1:
            return Reached(stop=PARTLY, why=f"it depends on whether the stage stands in the path: {sorted(found)}")
        return found.pop()

    def asked(self, listener: Id, host: str, path: str) -> Reached:
        """Where a request ends that the balancer is asked, whatever its Host header says."""
        taken = self.entrance.taken(listener, host, path)
        if not taken.groups:
            return Reached(stop=BALANCER, why=f"answers {taken.status}", checks=taken.checks)
        balancer = next(each for (each, _), one in self.entrance.listeners.items() if one == listener)
        takers = {each.name for each in self.services.values() for group in taken.groups if group in each.takes}
        if len(takers) != 1:
            return Reached(stop=BALANCER, why=f"targets of {sorted(takers) or 'nobody'}")
        service = self.services[takers.pop()]
        for group in taken.groups:
            port = service.takes.get(group, -1)
            if port not in service.ports:
                return Reached(stop=INSTANCE, why=f"{service.name} does not listen on {port}")
            if why := self._between(self.entrance.placed(balancer), (service.groups, service.subnets), port):
                return Reached(stop=FIREWALL, why=f"balancer to {service.name}: {why}")
        return Reached(service.name, checks=taken.checks, path=taken.path)

    def _between(self, ours: tuple[Any, Any], theirs: tuple[Any, Any], port: int) -> str:
        """Why something with these groups and subnets cannot open something with those; empty when it can."""
        for here in ours[1]:
            for there in theirs[1]:
                for address in _ends(self.network.subnets[there]):
                    if not self.groups.lets_out(ours[0], theirs[0], address, port):
                        return f"nothing lets it out on {port}"
                for address in _ends(self.network.subnets[here]):
                    if not self.groups.lets_in(theirs[0], ours[0], address, port):
                        return f"nothing lets it in on {port}"
                if why := self.network.refused(here, there, port):
                    return why
        return "" if ours[1] and theirs[1] else "it is nowhere"

    def from_outside(self, callee: str) -> Answer:
        """Whether there is a request by which anybody outside reaches the service."""
        ours = self.services[callee]
        reasons = []
        for listener in self.entrance.listeners.values():
            for rule in self.entrance.rules(listener):
                listed = dict(rule.conditions)
                for path in listed.get("path-pattern", ("/*",)):
                    for host in listed.get("host-header", self.entrance.hosts()):
                        found = self.request(host, path.rstrip("*"))
                        if found.service == ours.name:
                            return Answer()
                        if any(
                            group in ours.takes
                            for action in rule.actions
                            for group in _groups(self, listener, host, path)
                        ):
                            reasons.append(found)
        return Answer(reasons[0].stop, reasons[0].why) if reasons else Answer(BALANCER, "no rule leads to it")

    # Everything that is let through, and nothing else.

    def ways_out(self, service: str) -> frozenset[tuple[str, int, int]]:
        """Whom the service's groups let it open: whose group or which network, and ports."""
        rules = (rule for group in self.services[service].groups for rule in self.groups.leaves.get(group, ()))
        return frozenset((self._called(rule.peer), rule.first, rule.last) for rule in rules if not _itself(rule.peer))

    def ways_in(self, service: str) -> frozenset[tuple[str, int, int]]:
        """By whom the service's groups let it be opened; a group that nobody has lets nobody in."""
        rules = (rule for group in self.services[service].groups for rule in self.groups.enters.get(group, ()))
        return frozenset(
            (whose, rule.first, rule.last) for rule in rules if (whose := self._called(rule.peer)) != NOBODY
        )

    def exposed(self) -> tuple[str, ...]:
        """What anybody outside could open without the gateway."""
        public = [each.name for each in self.services.values() if each.public]
        handed = [
            what.name for what, each in self.world.items("AWS::EC2::Subnet") if each.get("MapPublicIpOnLaunch", False)
        ]
        return (*self.entrance.exposed(), *public, *handed)

    def _called(self, peer: Id | IPv4Network | None) -> str:
        if not isinstance(peer, Id):
            return str(peer)
        whose = [each.name for each in self.services.values() if peer in each.groups]
        whose += [each.name for each in self.doors.all if peer in each.groups]
        for kind, name, field in _HOLDERS:
            if any(
                peer in _ids(each.get(field)) and each.get("Type") != "network" for _, each in self.world.items(kind)
            ):
                whose.append(name)
        return " and ".join(whose) or NOBODY


_HOLDERS = (
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "the balancer", "SecurityGroups"),
    ("AWS::ApiGatewayV2::VpcLink", "the gateway", "SecurityGroupIds"),
    ("AWS::EC2::VPCEndpoint", "the endpoints", "SecurityGroupIds"),
)


def _ids(values: Any) -> Iterator[Id]:
    for each in values or ():
        if hasattr(each, "of"):
            yield each.of


def _groups(ground: Ground, listener: Id, host: str, path: str) -> tuple[Id, ...]:
    return ground.entrance.taken(listener, host, path.rstrip("*")).groups


def _itself(peer: Id | IPv4Network | None) -> bool:
    """A rule towards one's own loopback lets nothing out."""
    return isinstance(peer, IPv4Network) and peer.is_loopback


def _ends(network: IPv4Network) -> tuple[IPv4Address, ...]:
    return (network[0], network[-1])


def _together(answers: Iterable[Answer]) -> Answer:
    """One answer for all: open when all are."""
    found = list(dict.fromkeys(answers))
    opened, shut = [each for each in found if each.open], [each for each in found if not each.open]
    if opened and shut:
        return Answer(PARTLY, shut[0].why)
    if shut or not found:
        return shut[0] if shut else Answer(INSTANCE, "it is nowhere")
    ways = {each.by for each in opened}
    if len(ways) > 1:
        return Answer(PARTLY, f"by {' and '.join(sorted(ways))}")
    return Answer(by=ways.pop(), sources=frozenset(source for each in opened for source in each.sources))
