"""What a cell's resolver answers, and to whom, as one file; and what the twin's internet says of names, as another.

`SERVICE` and `SERVICE.internal` answer with the internal name's addresses, each time another one first. A name outside
answers to the services that declare it, and to nobody else: to them, and for all other names, it does not exist
(NXDOMAIN), at once, and the question does not leave the cell.
"""

import json
from hashlib import blake2s
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the resolver starts in half the time without
    from anden.model.configuration import Configuration

DOMAIN = "internal"
PORT = 53
UPSTREAM = IPv4Address("127.0.0.53")
"""Where the twin's internet is asked for names: in the resolver's own network, so that no instance can ask there."""
STANDINS = (IPv4Network("203.0.113.0/24"), IPv4Network("192.0.2.0/24"))
"""What names outside lead to on the twin: documentation's networks (RFC 5737), which nobody on the internet has."""
STANDIN_TTL_S = 60
"""What the twin's internet says of how long its answers hold."""


def book(configuration: "Configuration") -> str:
    """The resolver's file. `internal`: name to addresses. `callers`: address to service. `outside`: service to host to
    what it may open there. `never`: networks that no name outside may lead to. `ttl`: seconds, of internal names."""
    internal = {
        name: [str(address) for address in backend.addresses]
        for backend in configuration.backends
        if backend.addresses
        for name in (str(backend.service), f"{backend.service}.{DOMAIN}")
    }
    outside: dict[str, dict[str, list[str]]] = {}
    for allow in configuration.names_out:
        ways = outside.setdefault(allow.caller, {}).setdefault(allow.host, [])
        way = f"{allow.transport.value} {allow.port}"
        if way not in ways:
            ways.append(way)
    return _written(
        {
            "address": str(configuration.layout.resolver),
            "ttl": configuration.manners.name_ttl_s,
            "internal": internal,
            "callers": {
                str(member.address): backend.service for backend in configuration.backends for member in backend.members
            },
            "outside": outside,
            "never": [str(network) for network in configuration.never],
        }
    )


def internet(configuration: "Configuration") -> str:
    """The twin's internet's file: each declared name, with an address of documentation's. A name keeps its address
    whatever else is declared, unless two begin at the same one: then the later one in the alphabet moves on. With more
    names than addresses some share one."""
    pool = [address for network in STANDINS for address in network.hosts()]
    taken: set[IPv4Address] = set()
    zone = {}
    for host in sorted({allow.host for allow in configuration.names_out}):
        first = int.from_bytes(blake2s(host.encode(), digest_size=4).digest()) % len(pool)
        free = (pool[(first + step) % len(pool)] for step in range(len(pool)))
        address = next((one for one in free if one not in taken), pool[first])
        taken.add(address)
        zone[host] = {"ttl": STANDIN_TTL_S, "a": [str(address)]}
    return _written(zone)


def _written(data: object) -> str:
    return json.dumps(data, indent=1) + "\n"
