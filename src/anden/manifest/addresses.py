"""Single values that are addresses: networks, peers, hosts with ports, paths of URLs, paths in an instance."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath

from anden.manifest.faults import Wrong
from anden.manifest.figures import HIGHEST_PORT, near_port
from anden.manifest.names import DOMAIN_PATTERN
from anden.manifest.node import Scalar
from anden.manifest.shape import Leaf
from anden.manifest.wording import listed, shown
from anden.model.topology import Health

WIDEST_NETWORK = 16
"""AWS's largest VPC."""
NARROWEST_NETWORK = 22
"""The smallest network whose subnets AWS's balancer can stand in (a /27 for each)."""
PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""RFC 1918, and RFC 6598's shared space."""
UNREACHABLE = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""This host, loopback, link-local (metadata services too), multicast and reserved."""

_IPV4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_CIDR_JSON = {"type": "string", "pattern": rf"^{_IPV4}/[0-9]{{1,2}}$"}


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text) if re.fullmatch(_IPV4, text) else None
    except ValueError:
        return None


def network_of(text: str) -> IPv4Network | None:
    """The network that `text` says strictly, or None."""
    try:
        return IPv4Network(text) if re.fullmatch(rf"{_IPV4}/[0-9]{{1,2}}", text) else None
    except ValueError:
        return None


def _near_network(text: str) -> str:
    """`10.20.4.17/16` was meant as `10.20.0.0/16`; an address alone as a /32 (a network's address as the network)."""
    found = re.fullmatch(rf"({_IPV4})(?:/([0-9]{{1,2}}))?", text)
    if found is None or _address(found[1]) is None or int(found[2] or 0) > 32:
        return ""
    if found[2]:
        return str(IPv4Network(text, strict=False))
    zeros = len(re.findall(r"(?:\.0)+$", text)[0]) // 2 if text.endswith(".0") else 0
    return f"{text}/{32 - 8 * zeros}"


def _cidr(scalar: Scalar) -> IPv4Network:
    network = network_of(scalar.text)
    if network is None:
        if ":" in scalar.text:
            raise Wrong(why="networks are IPv4 for now")
        close = _near_network(scalar.text)
        raise Wrong(meant=close)
    return network


CIDR = Leaf(
    "a network",
    "networks are written as CIDR: address/prefix, no bits set behind it",
    "10.20.0.0/16",
    _cidr,
    _CIDR_JSON,
)


def _own_network(scalar: Scalar) -> IPv4Network:
    network = _cidr(scalar)
    if not WIDEST_NETWORK <= network.prefixlen <= NARROWEST_NETWORK:
        wide = network.prefixlen < WIDEST_NETWORK
        fit = IPv4Network((network.network_address, WIDEST_NETWORK)) if wide else network.supernet(new_prefix=22)
        raise Wrong(
            meant=fit,
            what=f"{network} is too {'large' if wide else 'small'}",
            why=f"an environment's network is a /{WIDEST_NETWORK} to a /{NARROWEST_NETWORK}, to hold its subnets",
        )
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise Wrong(
            "Use a private one such as 172.30.0.0/16, or leave it out: one is then allocated.",
            what=f"{network} is not private",
            why=f"addresses outside {listed(PRIVATE)} belong to others",
        )
    return network


NETWORK = Leaf("a network", CIDR.rule, "172.30.0.0/16", _own_network, _CIDR_JSON)


def _peer(scalar: Scalar) -> IPv4Address:
    address = _address(scalar.text)
    if address is None or any(address in network for network in UNREACHABLE):
        raise Wrong(
            why="a link's peer is found by address, so that no name server can move it" if address is None else None
        )
    return address


PEER = Leaf(
    "the address of a peer",
    "a peer is one IPv4 address that can be reached",
    "203.0.113.10",
    _peer,
    {"type": "string", "pattern": f"^{_IPV4}$"},
)


@dataclass(frozen=True, slots=True)
class To:
    """Where a destination is; exactly one of `host` and `network` is set."""

    port: int
    host: str | None = None
    network: IPv4Network | None = None

    def __str__(self) -> str:
        return f"{self.host or self.network}:{self.port}"


def _to(scalar: Scalar) -> To:
    text = scalar.text
    place, colon, port_text = text.rpartition(":")
    scheme = re.fullmatch(r"([a-z][a-z0-9+]*)://([^/]*)(/.*)?", text)
    if scheme:
        port = near_port(scheme[1])
        host = scheme[2] if ":" in scheme[2] else f"{scheme[2]}:{port}" if port else ""
        raise Wrong(meant=host, why="a destination is no URL: host:port, or CIDR:port")
    if text.count(":") > 1:
        raise Wrong(why="destinations are names and IPv4 for now")
    if not colon:
        raise Wrong(meant=f"{text}:443", what=f"{shown(text)} has no port")
    if not re.fullmatch(r"[0-9]{1,5}", port_text) or not 1 <= int(port_text) <= HIGHEST_PORT:
        close = near_port(port_text)
        raise Wrong(
            "Use a port such as 443.",
            meant=f"{place}:{close}",
            what=f"{shown(port_text)} is not a port",
            why=f"ports run from 1 to {HIGHEST_PORT}",
        )
    found = _place(place)
    if found is None:
        close_network = _near_network(place)
        raise Wrong(meant=f"{close_network or place.lower().removesuffix('.')}:{port_text}")
    if isinstance(found, str):
        return To(int(port_text), host=found)
    if any(found.subnet_of(network) for network in UNREACHABLE):
        raise Wrong(
            "Use the address of a real place.",
            what=f"{place} lies on no network",
            why="loopback, link-local, multicast and reserved addresses are no destinations",
        )
    return To(int(port_text), network=found)


def _place(text: str) -> IPv4Network | str | None:
    address = _address(text)
    if address is not None:
        return IPv4Network(address)
    network = network_of(text)
    if network is not None:
        return network
    return text if re.fullmatch(DOMAIN_PATTERN, text) else None


TO = Leaf(
    "a destination",
    "a destination is host:port, address:port or CIDR:port",
    "api.exchange.example:443",
    _to,
    {"type": "string", "pattern": r"^[a-z0-9][a-z0-9.-]*(?:/[0-9]{1,2})?:[0-9]{1,5}$"},
)

_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()+,;=:@%-]*)+")
_MOST_PATH = 512


def _url_path(scalar: Scalar) -> str:
    text = scalar.text
    if not _PATH.fullmatch(text) or len(text) > _MOST_PATH or "//" in text or {".", ".."} & set(text.split("/")):
        short = text[:_MOST_PATH]
        without = short.split("?")[0].split("#")[0].rstrip("/*") if text.startswith("/") else "/" + short
        close = re.sub(r"/{2,}", "/", without) or "/"
        raise Wrong(
            meant=close,
            why="a route is a prefix already" if "*" in text else None,
        )
    return text.rstrip("/") or "/"


ROUTE_PATH = Leaf(
    "a path",
    "paths begin with / and go down, segment by segment, without * ? # or spaces",
    "/accounts",
    _url_path,
    {"type": "string", "pattern": r"^/[^*?#\s]*$"},
)


def _health(scalar: Scalar) -> Health:
    text = scalar.text
    if text == "tcp":
        return Health(None)
    if not re.fullmatch(r"/[!-\"$-~]{0,511}", text):
        raise Wrong(meant=f"/{text}" if ":" not in text else "")
    return Health(text)


HEALTH_PATH = Leaf(
    "a health check",
    "health is the path of a GET that answers 2xx or 3xx, or tcp",
    "/health",
    _health,
    {"type": "string", "pattern": r"^(?:/[!-\"$-~]*|tcp)$"},
)

_KEPT = ("/proc", "/sys", "/dev")
"""What the container has of its own."""


def _writable(scalar: Scalar) -> str:
    text = scalar.text
    if not text.startswith("/") or not text.isprintable() or ".." in text.split("/") or len(text) > _MOST_PATH:
        raise Wrong(meant=f"/{text}" if re.fullmatch(r"[a-z][a-z0-9/_-]{0,63}", text) else "")
    path = "/" + str(PurePosixPath(text)).lstrip("/")
    if path == "/" or any(path == kept or path.startswith(kept + "/") for kept in _KEPT):
        raise Wrong(
            "Name the folder that the service writes to, such as /tmp.",
            what=f"{shown(path)} cannot be a folder of its own",
            why=f"the image is read-only, and {', '.join(_KEPT)} are the system's",
        )
    return path


WRITABLE = Leaf(
    "a folder to write to",
    "folders are absolute paths in the instance",
    "/tmp",  # noqa: S108 - in the instance
    _writable,
    {"type": "string", "pattern": "^/."},
)
