"""The networks of a link: an endpoint for each tunnel, between the hub and the wire, and what lies beyond the wire.

    hub ── link.N.T (eth0) endpoint (wan) ── gwT (link.N), where the other side stands

The hub's traffic for a link's networks goes by one endpoint's cable, or by none: then it meets silence, and never the
internet. Only IKE and ESP cross the wire, for endpoints know one address there: the peer's.
"""

import errno
import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from anden.engines.local import endpoints
from anden.engines.local.cell import netns
from anden.engines.local.cell.network import CABLE
from anden.engines.local.cell.rtnetlink import BLACKHOLE, OWN, Rtnetlink, index
from anden.engines.local.render.stations import BALANCER, ROUTER
from anden.model.link import Agreement, Tunnel
from anden.planning import links
from anden.planning.devices.device import theirs_inside

WAN = "wan"
"""An endpoint's interface on the wire."""
_LOOPBACK = 1
_IPV6_OFF = {"net/ipv6/conf/all/disable_ipv6": "1", "net/ipv6/conf/default/disable_ipv6": "1"}
_ENDPOINT = {
    **_IPV6_OFF,
    "net/ipv4/ip_forward": "1",
    # What comes out of a tunnel has the other side's addresses, to which the routes of another table lead.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/ip_unprivileged_port_start": "0",  # BGP's is 179, and who speaks it is nobody
}
_FAR = {
    **_IPV6_OFF,
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/ip_unprivileged_port_start": "0",
}
_LOOSE = "2"
"""rp_filter: an answer may come by the tunnel that its question did not take, while they change."""


def lay(number: int, agreement: Agreement) -> None:
    """Make a link's networks be there, with nobody on the other side. What is there already stays. Raises OSError."""
    _namespace(endpoints.wire(number), _FAR)
    for tunnel in agreement.tunnels:
        name = endpoints.station(number, tunnel.number)
        _namespace(name, _ENDPOINT)
        _cable(name, CABLE, None, name)
        _cable(name, WAN, endpoints.wire(number), gateway(tunnel))
        netns.inside(name, lambda its=tunnel: _inner(agreement, its))  # type: ignore[misc]
        netns.apart(lambda its=tunnel, link=name: _outer(its, link))  # type: ignore[misc]
    netns.inside(endpoints.wire(number), lambda: _far(agreement))
    netns.apart(lambda: _silent(agreement))


def settle(number: int, agreement: Agreement) -> None:
    """Have the other side stand on the wire: its address, and all addresses of its networks. Raises OSError."""

    def work() -> None:
        with Rtnetlink() as ip:
            ip.address(_LOOPBACK, agreement.peer)
            for network in agreement.remote:
                ip.address(_LOOPBACK, network[1] if network.num_addresses > 1 else network[0])
                ip.route(network, kind=OWN, out=_LOOPBACK)
            if agreement.bgp is not None:
                for tunnel in agreement.tunnels:
                    ip.address(_LOOPBACK, theirs_inside(tunnel))

    netns.inside(endpoints.wire(number), work)


def stand(number: int, agreement: Agreement) -> None:
    """Have the other side's address be on the wire, and nothing behind it. Raises OSError."""

    def work() -> None:
        with Rtnetlink() as ip:
            ip.address(_LOOPBACK, agreement.peer)

    netns.inside(endpoints.wire(number), work)


def steer(number: int, agreement: Agreement, by: int | None) -> None:
    """Have the link's traffic go by this tunnel, or by none. Call it in the hub's network namespace. Raises OSError."""
    with Rtnetlink() as hub:
        if by is None:
            for network in agreement.remote:
                hub.route(network, kind=BLACKHOLE)
            return
        tunnel = next(one for one in agreement.tunnels if one.number == by)
        out = _there(endpoints.station(number, by))
        for network in agreement.remote:
            hub.route(network, out=out, by=_inside(tunnel))


def release(agreement: Agreement) -> None:
    """Have no route to the link's networks any more. Call it in the hub's network namespace. Raises OSError."""
    with Rtnetlink() as hub:
        for network in agreement.remote:
            hub.unroute(network)


def welcome(agreement: Agreement, balancer: IPv4Address | None) -> None:
    """Have the addresses that the other side dials be the balancer's, which has that one; None: nobody's. Raises
    OSError."""
    addresses = [IPv4Network(share.network_address + links.DIALLED) for _, share in agreement.zones]

    def own() -> None:
        with Rtnetlink() as ip:
            for address in addresses:
                ip.route(address, kind=OWN, out=_LOOPBACK)

    def lead() -> None:
        with Rtnetlink() as hub:
            for address in addresses:
                if balancer is None:
                    hub.unroute(address)
                else:
                    hub.route(address, out=_there(BALANCER), by=balancer)

    if balancer is not None:
        netns.inside(BALANCER, own)
    netns.apart(lead)


def take_up(number: int, tunnels: int) -> None:
    """Leave nothing of a link's networks. Not an error when there is nothing."""

    def work() -> None:
        with Rtnetlink() as hub:
            for tunnel in range(1, tunnels + 1):
                if (link := index(endpoints.station(number, tunnel))) is not None:
                    hub.remove(link)

    netns.apart(work)
    for name in (endpoints.wire(number), *(endpoints.station(number, each) for each in range(1, tunnels + 1))):
        if netns.kept(name):
            netns.forget(name)


def gateway(tunnel: Tunnel) -> str:
    """The wire's end of an endpoint's cable."""
    return f"gw{tunnel.number}"


def _namespace(name: str, words: dict[str, str]) -> None:
    def work() -> None:
        netns.unshare()
        for key, value in words.items():
            file = Path("/proc/sys") / key
            if file.exists() or "ipv6" not in key:
                file.write_text(value)
        with Rtnetlink() as ip:
            ip.up(_LOOPBACK)
        netns.keep(name)

    if not netns.kept(name):
        netns.apart(work)


def _cable(name: str, inner: str, other: str | None, outer: str) -> None:
    """Join two networks; other: None is the hub."""

    def work() -> None:
        there = netns.current() if other is None else os.open(netns.path(other), os.O_RDONLY | os.O_CLOEXEC)
        try:
            netns.enter(netns.path(name))
            if index(inner) is None:
                with Rtnetlink() as ip:
                    ip.cable(inner, outer, there)
        finally:
            os.close(there)

    netns.apart(work)


def _inner(agreement: Agreement, tunnel: Tunnel) -> None:
    """In an endpoint."""
    ours = tunnel.ours
    if ours.address is None:
        raise ValueError(f"the endpoint of tunnel {tunnel.number} has no address")
    with Rtnetlink() as ip:
        lan, wan = _there(CABLE), _there(WAN)
        ip.address(_LOOPBACK, agreement.router)
        ip.address(lan, _inside(tunnel))
        ip.address(wan, ours.address)
        ip.up(lan)
        ip.up(wan)
        ip.route(agreement.local, out=lan, by=ROUTER)
        ip.route(IPv4Network(agreement.peer), out=wan, source=ours.address)


def _outer(tunnel: Tunnel, link: str) -> None:
    """In the hub."""
    with Rtnetlink() as hub:
        out = _there(link)
        (Path("/proc/sys/net/ipv4/conf") / link / "rp_filter").write_text(_LOOSE)
        # Without an address of its own, the loose filter on a cable is as strict as the other one (fib_frontend.c).
        hub.address(out, _inside(tunnel) + 1)
        hub.up(out, link)
        hub.route(IPv4Network(_inside(tunnel)), out=out)


def _far(agreement: Agreement) -> None:
    """On the wire."""
    with Rtnetlink() as ip:
        for tunnel in agreement.tunnels:
            out = _there(gateway(tunnel))
            ip.up(out)
            if tunnel.ours.address is not None:
                ip.route(IPv4Network(tunnel.ours.address), out=out)


def _silent(agreement: Agreement) -> None:
    """Until a tunnel is up; a route by one that is stays."""
    with Rtnetlink() as hub:
        routed = hub.destinations()
        for network in agreement.remote:
            if network not in routed:
                hub.route(network, kind=BLACKHOLE)


def _inside(tunnel: Tunnel) -> IPv4Address:
    if tunnel.ours.inside is None:
        raise ValueError(f"tunnel {tunnel.number} has no inside")
    return tunnel.ours.inside.ip


def _there(name: str) -> int:
    found = index(name)
    if found is None:
        raise OSError(errno.ENODEV, f"the interface {name} has gone")
    return found
