"""The two networks of who joins: the core's, where strongSwan and what it answers with stand, and the one between it
and the other machine, where the other side's endpoints seem to be."""

import errno
import os
import socket
from ipaddress import IPv4Network
from pathlib import Path

from anden.engines.local import wire
from anden.engines.local.cell import netns
from anden.engines.local.cell.rtnetlink import OWN, Rtnetlink, index
from anden.engines.local.join.apart import Apart
from anden.model.link import Agreement
from anden.planning.devices.device import theirs_inside

_LOOPBACK = 1
_WAN, _FAR = "wan", "far"
_WORDS = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/ip_unprivileged_port_start": "0",
}


def lay(agreement: Agreement, core: Apart, between: Apart) -> None:
    """Make both. Raises OSError."""
    core.do(_quiet)
    between.do(_quiet)
    there = between.do(netns.current)
    try:
        core.do(lambda: _joined(there))
    finally:
        os.close(there)
    core.do(lambda: _core(agreement))
    between.do(lambda: _between(agreement))


def doors(agreement: Agreement, between: Apart) -> list[wire.Door]:
    """At the other side's endpoints, for what our strongSwan says to them. Raises OSError."""
    peer = str(agreement.peer)
    made = []
    for tunnel in agreement.tunnels:
        for port in wire.PORTS:
            at = (str(tunnel.ours.address), port)
            bound = between.do(lambda its=at: _bound(its))  # type: ignore[misc]
            made.append(wire.Door(bound, port, {peer: tunnel.number}, {tunnel.number: peer}))
    return made


def _bound(at: tuple[str, int]) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        made.bind(at)
    except OSError:
        made.close()
        raise
    return made


def _quiet() -> None:
    for key, value in _WORDS.items():
        file = Path("/proc/sys") / key
        if file.exists() or "ipv6" not in key:
            file.write_text(value)
    with Rtnetlink() as ip:
        ip.up(_LOOPBACK)


def _joined(there: int) -> None:
    with Rtnetlink() as ip:
        ip.cable(_WAN, _FAR, there)


def _core(agreement: Agreement) -> None:
    with Rtnetlink() as ip:
        wan = _there(_WAN)
        ip.address(_LOOPBACK, agreement.peer)
        for network in agreement.remote:
            ip.address(_LOOPBACK, network[1] if network.num_addresses > 1 else network[0])
            ip.route(network, kind=OWN, out=_LOOPBACK)
        if agreement.bgp is not None:
            for tunnel in agreement.tunnels:
                ip.address(_LOOPBACK, theirs_inside(tunnel))
        ip.up(wan)
        for tunnel in agreement.tunnels:
            if tunnel.ours.address is not None:
                ip.route(IPv4Network(tunnel.ours.address), out=wan, source=agreement.peer)


def _between(agreement: Agreement) -> None:
    with Rtnetlink() as ip:
        far = _there(_FAR)
        for tunnel in agreement.tunnels:
            if tunnel.ours.address is not None:
                ip.address(_LOOPBACK, tunnel.ours.address)
        ip.up(far)
        ip.route(IPv4Network(agreement.peer), out=far)


def _there(name: str) -> int:
    found = index(name)
    if found is None:
        raise OSError(errno.ENODEV, f"the interface {name} has gone")
    return found
