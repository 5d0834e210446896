"""The stations of a cell's network: namespaces that are no instances, and the fixed names and addresses around them.

balancer   HAProxy's network: the balancer's source address and every internal name's address
resolver   names', its own: the balancer's address may open instances' ports, the resolver's may open nothing
internet   the twin's internet: answers for every address that is not the environment's

Each is joined to the hub (the cell's own network namespace) by one veth pair: the hub's end has the station's name, the
other one is `eth0`. Instance ids end in `-ORDINAL`, so no instance can be called like a station.
"""

from ipaddress import IPv4Address, IPv4Network

BALANCER = "balancer"
RESOLVER = "resolver"
INTERNET = "internet"
STATIONS = (BALANCER, RESOLVER, INTERNET)

ROUTER = IPv4Address("169.254.1.1")
"""The hub as everybody sees it: the next hop of every namespace. Link-local (RFC 3927): it clashes with no network."""
OUTSIDE = IPv4Address("169.254.1.3")
"""The internet station's end of its cable."""
LINK_LOCAL = IPv4Network("169.254.0.0/16")
