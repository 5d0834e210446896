"""The network of a cell: every instance in a namespace of its own, joined to the hub by one routed veth pair.

The hub is the cell's own network namespace. An instance has its address as a /32 and one next hop, the hub; the hub has
one route for each instance. So everything between two namespaces is *forwarded* by the hub and crosses its firewall
once, and the reverse path filter drops a source that is not the veth's own. Addresses of the environment that nobody
has lead into a black hole: silence, and never an answer from the twin's internet.
"""

import errno
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2s
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from anden.engines.local.cell import flows, netns, protocol, sockets
from anden.engines.local.cell.rtnetlink import BLACKHOLE, LOCAL, MAIN, OWN, Rtnetlink, index
from anden.engines.local.render.stations import (
    BALANCER,
    INTERNET,
    LINK_LOCAL,
    OUTSIDE,
    RESOLVER,
    ROUTER,
    STATIONS,
)
from anden.model.configuration import Configuration

HAD = protocol.RUN / "had"
"""A file for each address whose flows may be there; on the cell's tmpfs, and so it ends with it."""
CABLE = "eth0"
"""The interface of every namespace but the hub."""
_LOOPBACK = 1
_OWN_WORDS = 5
"""Priority of the internet's rule for packets that it makes itself; the rule for the others follows."""
_ALL_ELSE = 10
_ANYWHERE = IPv4Network("0.0.0.0/0")
_QUICK_ACK = 15
"""RTAX_QUICKACK."""
_ACKNOWLEDGE_AT_ONCE = ((_QUICK_ACK, 1),)
"""A server that sends headers and body in two writes, as Python's own does, waits for an acknowledgement in between;
on a connection that is used again the kernel would hold that back for 40 ms."""
_HUB = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv4/conf/all/rp_filter": "1",
    "net/ipv4/conf/default/rp_filter": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/ip_forward": "1",
}
_LEAF = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv4/ip_unprivileged_port_start": "0",
}


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A namespace at the end of one cable.

    name: of the namespace. link: the hub's end of the cable. routes: networks that the hub sends there, by `via`.
    metrics: of its own route to the hub.
    """

    name: str
    link: str
    address: IPv4Address
    via: IPv4Address
    routes: tuple[IPv4Network, ...]
    more: Callable[[Rtnetlink], None] = lambda _ip: None
    metrics: tuple[tuple[int, int], ...] = ()


def build(configuration: Configuration) -> None:
    """Make the hub and the stations be as `configuration` says. Idempotent; running instances do not notice.

    Raises OSError when the kernel refuses.
    """
    layout = configuration.layout

    def balancer(ip: Rtnetlink) -> None:
        # Every internal name's address is the balancer's own, whichever are in use (AnyIP).
        ip.route(layout.names, kind=OWN, out=_LOOPBACK)

    def internet(ip: Rtnetlink) -> None:
        # Every address is its own (AnyIP), and what it says itself does not stay: local sources look past that route.
        ip.route(_ANYWHERE, kind=OWN, out=_LOOPBACK)
        if 0 in ip.rules():
            ip.rule(_OWN_WORDS, MAIN, incoming="lo")
            ip.rule(_ALL_ELSE, LOCAL)
            ip.unrule(0, LOCAL)

    host = layout.balancer
    stations = (
        _Leaf(BALANCER, BALANCER, host, host, (IPv4Network(host), layout.names), balancer, _ACKNOWLEDGE_AT_ONCE),
        _Leaf(RESOLVER, RESOLVER, layout.resolver, layout.resolver, (IPv4Network(layout.resolver),)),
        _Leaf(INTERNET, INTERNET, OUTSIDE, OUTSIDE, (_ANYWHERE,), internet),
    )

    def work() -> None:
        _sysctl(_HUB)
        with Rtnetlink() as hub:
            hub.up(_LOOPBACK)
            hub.address(_LOOPBACK, ROUTER)
            for nobody in (layout.network, LINK_LOCAL):
                hub.route(nobody, kind=BLACKHOLE)

    netns.apart(work)
    for station in stations:
        _join(station)


def attach(id: str, address: IPv4Address, zone: str) -> str:
    """A namespace for instance `id` with that address; its path. The same again is not an error; another address
    replaces the namespace. Safe to call for several instances at once. `zone` is not needed: it is in the address.

    Raises OSError when the kernel refuses; what was half made is taken up by the next call.
    """
    if id in STATIONS:
        raise ValueError(f"{id} is a station of the cell and cannot be an instance")
    if netns.kept(id) and _addresses(id) - {str(address)}:
        detach(id)
    if not netns.kept(id):
        _forget_owner(address)
    link = link_of(id)
    _join(_Leaf(id, link, address, address, (IPv4Network(address),)))
    return str(netns.path(id))


def _forget_owner(address: IPv4Address) -> None:
    """Whoever had that address before, when their flows may be there still. Looking for them takes longer than
    everything else here, for the kernel walks its whole table, twice: so it is done as an instance leaves, and here
    only for one that came to no such end. The note is made before the address is used, so that whoever dies on the way
    leaves a search too many and never one too few."""
    note = HAD / str(address)
    if note.exists():
        netns.apart(lambda: flows.forget(address))
    else:
        HAD.mkdir(parents=True, exist_ok=True)
        note.touch()


def _forget_left(address: str) -> None:
    """An address that has just been left: from here on nothing leads there. What fails is done by the next owner."""
    with suppress(OSError):
        netns.apart(lambda: flows.forget(IPv4Address(address)))
        (HAD / address).unlink(missing_ok=True)


def detach(id: str) -> None:
    """Take the instance off the network and forget its namespace. Not an error when it is not there."""

    def work() -> None:
        with Rtnetlink() as hub:
            if (link := index(link_of(id))) is not None:
                hub.remove(link)

    had = _addresses(id) if netns.kept(id) else set()
    netns.apart(work)
    netns.forget(id)
    for address in had:
        _forget_left(address)


def hang_up(addresses: Iterable[IPv4Address]) -> None:
    """End the balancer's connections to these addresses on its own side, where no answer of theirs is needed."""
    gone = set(addresses)
    netns.inside(BALANCER, lambda: sockets.end(gone))


def attached() -> set[str]:
    """The ids of the instances that have a namespace."""
    return netns.names() - set(STATIONS)


def link_of(id: str) -> str:
    """The hub's end of an instance's cable. Interface names have 15 characters at most, ids more: so a digest."""
    return "i" + blake2s(id.encode(), digest_size=6).hexdigest()


def _addresses(name: str) -> set[str]:
    def work() -> set[str]:
        with Rtnetlink() as ip:
            return {address for link, address in ip.addresses() if link != _LOOPBACK}

    return netns.inside(name, work)


def _join(leaf: _Leaf) -> None:
    """Make the namespace, its cable, addresses and routes exist on both ends. Whatever exists already stays."""

    def work() -> None:
        home = netns.current()
        try:
            if netns.kept(leaf.name):
                netns.enter(netns.path(leaf.name))
            else:
                netns.unshare()
                _sysctl(_LEAF)
                netns.keep(leaf.name)
            with Rtnetlink() as ip:
                _inner(ip, leaf, home)
            netns.join(home)
            with Rtnetlink() as hub:
                _outer(hub, leaf)
        finally:
            os.close(home)

    netns.apart(work)


def _inner(ip: Rtnetlink, leaf: _Leaf, home: int) -> None:
    ip.up(_LOOPBACK)
    if index(CABLE) is None:
        ip.cable(CABLE, leaf.link, home)
    cable = _there(CABLE)
    ip.address(cable, leaf.address)
    ip.up(cable)
    if str(leaf.address) not in ip.defaults():  # the internet's own way in would refuse it a second time
        ip.route(_ANYWHERE, out=cable, by=ROUTER, source=leaf.address, metrics=leaf.metrics)
    leaf.more(ip)


def _outer(hub: Rtnetlink, leaf: _Leaf) -> None:
    link = _there(leaf.link)
    hub.up(link, leaf.name)
    for network in leaf.routes:
        hub.route(network, out=link, by=None if network == IPv4Network(leaf.via) else leaf.via)


def _there(name: str) -> int:
    """The number of an interface that was made. Raises OSError when it has gone."""
    found = index(name)
    if found is None:
        raise OSError(errno.ENODEV, f"the interface {name} has gone")
    return found


def _sysctl(values: dict[str, str]) -> None:
    """Settings of this thread's network namespace. IPv6's are left out where the kernel has no IPv6."""
    for name, value in values.items():
        file = Path("/proc/sys") / name
        if file.exists() or "ipv6" not in name:
            file.write_text(value)
