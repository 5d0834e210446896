"""The network of a cell: every instance in a namespace of its own, joined to the hub by one routed veth pair.

The hub is the cell's own network namespace. An instance has its address as a /32 and one next hop, the hub; the hub has
one route for each instance. So everything between two namespaces is *forwarded* by the hub and crosses its firewall
once, and the reverse path filter drops a source that is not the veth's own. Addresses of the environment that nobody
has lead into a black hole: silence, and never an answer from the twin's internet.
"""

import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from hashlib import blake2s
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from socket import AF_INET
from typing import Any, ParamSpec, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from anden.engines.local.cell import netns, sockets
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

CABLE = "eth0"
"""The interface of every namespace but the hub."""
_LOOPBACK = 1
_LOCAL_TABLE = 255
_MAIN_TABLE = 254
_OWN_WORDS = 5
"""Priority of the internet's rule for packets that it makes itself; the rule for the others follows."""
_ALL_ELSE = 10
_ANYWHERE = IPv4Network("0.0.0.0/0")
_BLACKHOLE = "blackhole"
_ACKNOWLEDGE_AT_ONCE = (("quickack", 1),)
"""A server that sends headers and body in two writes, as Python's own does, waits for an acknowledgement in between;
on a connection that is used again the kernel would hold that back for 40 ms."""
_ONLINK = 4
"""RTNH_F_ONLINK: the next hop is at the end of the cable, though no network says so."""
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


Words = ParamSpec("Words")
Result = TypeVar("Result")


def _plain(work: Callable[Words, Result]) -> Callable[Words, Result]:
    """The kernel's refusals as OSError: pyroute2's own error is none, and callers handle operating errors."""

    @wraps(work)
    def done(*words: Words.args, **named: Words.kwargs) -> Result:
        try:
            return work(*words, **named)
        except NetlinkError as error:
            raise OSError(error.code, f"the kernel refused a change of the network: {error}") from error

    return done


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
    more: Callable[[IPRoute, int], None] = lambda _ip, _cable: None
    metrics: tuple[tuple[str, int], ...] = ()


@_plain
def build(configuration: Configuration) -> None:
    """Make the hub and the stations be as `configuration` says. Idempotent; running instances do not notice.

    Raises OSError when the kernel refuses.
    """
    layout = configuration.layout

    def balancer(ip: IPRoute, _cable: int) -> None:
        # Every internal name's address is the balancer's own, whichever are in use (AnyIP).
        ip.route("replace", dst=str(layout.names), type="local", oif=_LOOPBACK, table=_LOCAL_TABLE, scope="host")

    def internet(ip: IPRoute, cable: int) -> None:
        # Every address is its own (AnyIP), and what it says itself does not stay: local sources look past that route.
        ip.route(
            "replace", family=AF_INET, dst="default", type="local", oif=_LOOPBACK, table=_LOCAL_TABLE, scope="host"
        )
        if any(rule.get_attr("FRA_PRIORITY", 0) == 0 for rule in ip.get_rules(family=AF_INET)):
            ip.rule("add", family=AF_INET, priority=_OWN_WORDS, iifname="lo", table=_MAIN_TABLE)
            ip.rule("add", family=AF_INET, priority=_ALL_ELSE, table=_LOCAL_TABLE)
            ip.rule("del", family=AF_INET, priority=0, table=_LOCAL_TABLE)

    host = layout.balancer
    stations = (
        _Leaf(BALANCER, BALANCER, host, host, (IPv4Network(host), layout.names), balancer, _ACKNOWLEDGE_AT_ONCE),
        _Leaf(RESOLVER, RESOLVER, layout.resolver, layout.resolver, (IPv4Network(layout.resolver),)),
        _Leaf(INTERNET, INTERNET, OUTSIDE, OUTSIDE, (_ANYWHERE,), internet),
    )

    def work() -> None:
        _sysctl(_HUB)
        with IPRoute() as hub:
            hub.link("set", index=_LOOPBACK, state="up")
            hub.addr("replace", index=_LOOPBACK, address=str(ROUTER), prefixlen=32)
            for nobody in (layout.network, LINK_LOCAL):
                hub.route("replace", dst=str(nobody), type=_BLACKHOLE)

    netns.apart(work)
    for station in stations:
        _join(station)


@_plain
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
        netns.apart(lambda: _forget_flows(str(address)))
    link = link_of(id)
    _join(_Leaf(id, link, address, address, (IPv4Network(address),)))
    return str(netns.path(id))


def _forget_flows(address: str) -> None:
    """What connection tracking knows of whoever had that address before: the firewall lets an established flow go on,
    and the next owner would inherit it."""
    with NFCTSocket() as tracking:
        for side in ("saddr", "daddr"):
            for entry in tuple(tracking.dump(tuple_orig=NFCTAttrTuple(**{side: address}))):
                flow = NFCTAttrTuple.from_netlink(AF_INET, entry.get_attr("CTA_TUPLE_ORIG"))
                if getattr(flow, side) == address:  # a kernel before 5.8 does not choose
                    try:
                        tracking.entry("del", tuple_orig=flow)
                    except NetlinkError as error:
                        if error.code != errno.ENOENT:  # it ended by itself
                            raise


@_plain
def detach(id: str) -> None:
    """Take the instance off the network and forget its namespace. Not an error when it is not there."""

    def work() -> None:
        with IPRoute() as hub:
            for index in hub.link_lookup(ifname=link_of(id)):
                hub.link("del", index=index)

    netns.apart(work)
    netns.forget(id)


@_plain
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
        with IPRoute() as ip:
            found: Iterable[Any] = ip.get_addr()
            return {one.get_attr("IFA_ADDRESS") for one in found if one["index"] != _LOOPBACK}

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
            with IPRoute() as ip:
                _inner(ip, leaf, home)
            netns.join(home)
            with IPRoute() as hub:
                _outer(hub, leaf)
        finally:
            os.close(home)

    netns.apart(work)


def _inner(ip: IPRoute, leaf: _Leaf, home: int) -> None:
    ip.link("set", index=_LOOPBACK, state="up")
    if not ip.link_lookup(ifname=CABLE):
        ip.link("add", ifname=CABLE, kind="veth", peer={"ifname": leaf.link, "net_ns_fd": home})
    (cable,) = ip.link_lookup(ifname=CABLE)
    ip.addr("replace", index=cable, address=str(leaf.address), prefixlen=32)
    ip.link("set", index=cable, state="up")
    if not any(route.get_attr("RTA_PREFSRC") == str(leaf.address) for route in ip.get_default_routes(AF_INET)):
        way: dict[str, Any] = {"gateway": str(ROUTER), "oif": cable, "flags": _ONLINK, "prefsrc": str(leaf.address)}
        if leaf.metrics:
            way["metrics"] = dict(leaf.metrics)
        ip.route("replace", family=AF_INET, dst="default", **way)
    leaf.more(ip, cable)


def _outer(hub: IPRoute, leaf: _Leaf) -> None:
    (link,) = hub.link_lookup(ifname=leaf.link)
    hub.link("set", index=link, state="up", ifalias=leaf.name)
    for network in leaf.routes:
        via: dict[str, Any] = {} if network == IPv4Network(leaf.via) else {"gateway": str(leaf.via), "flags": _ONLINK}
        hub.route("replace", family=AF_INET, dst=str(network), oif=link, **via)


def _sysctl(values: dict[str, str]) -> None:
    """Settings of this thread's network namespace. IPv6's are left out where the kernel has no IPv6."""
    for name, value in values.items():
        file = Path("/proc/sys") / name
        if file.exists() or "ipv6" not in name:
            file.write_text(value)
