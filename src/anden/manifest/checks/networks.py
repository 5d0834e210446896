"""An address means one place: the environment's network, what lies behind links, what the other side sees."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from anden.manifest.addresses import PRIVATE, network_of
from anden.manifest.faults import Faults
from anden.manifest.grammar import MOST_NETWORKS
from anden.manifest.node import Listing, Node, Scalar
from anden.manifest.record import Said
from anden.manifest.view import View
from anden.manifest.wording import listed

SEEN_AS_PER_ZONE = 16
"""Addresses that each zone needs of `seen-as`: AWS's smallest subnet, a /28."""


def apart(view: View, faults: Faults) -> None:
    """No two of them overlap. Networks are apart or one holds the other, so in order of their addresses each needs to
    be compared with those that are open around it only."""
    areas = sorted(enumerate(_areas(view)), key=lambda each: (each[1].network, each[0]))
    around: list[tuple[int, _Area]] = []
    for index, area in areas:
        while around and not around[-1][1].network.overlaps(area.network):
            around.pop()
        if around:
            before, after = sorted((around[-1], (index, area)), key=lambda each: each[0])
            _overlap(before[1], after[1], faults)
        around.append((index, area))


def _overlap(other: "_Area", area: "_Area", faults: Faults) -> None:
    own = _OWN in (area.whose, other.whose)
    faults.add(
        area.node,
        f"{area.whose} {area.network} overlaps {other.whose} {other.network}",
        f"an address would mean two places; the other is in line {other.node.line}",
        f"Choose networks that leave each other free{', or leave `network` out: one is then allocated' * own}.",
    )


@dataclass(frozen=True, slots=True)
class _Area:
    node: Node
    whose: str
    network: IPv4Network


_OWN = "the network"


def _areas(view: View) -> Iterator[_Area]:
    """The environment's network and its links', as far as they can be read."""
    network = view.said.get("network")
    if network is not None:
        yield _Area(view.at("network"), _OWN, network)
    for name, link in view.links.items():
        node = link.at("networks")
        for item in node.items[:MOST_NETWORKS] if isinstance(node, Listing) else (node,):
            behind = network_of(item.text) if isinstance(item, Scalar) else None
            if behind is not None:
                yield _Area(item, f"link {name}'s network", behind)
        if link.get("seen-as") is not None:
            yield _Area(link.at("seen-as"), f"link {name}'s seen-as", link.get("seen-as"))


def seen_as(view: View, faults: Faults) -> None:
    """A /28 for each zone, in addresses that are nobody else's."""
    zones = view.said.get("zones", 1)
    for name, link in view.links.items():
        block = link.get("seen-as")
        if block is None:
            continue
        if block.num_addresses < SEEN_AS_PER_ZONE * zones:
            prefix = 28 - (zones - 1).bit_length()
            faults.add(
                link.at("seen-as"),
                f"{block} is too small for {zones} zone" + ("" if zones == 1 else "s"),
                "each zone needs a /28 of it: 16 addresses, AWS's smallest subnet",
                f"Use a /{prefix}, such as {block.supernet(new_prefix=prefix)}.",
            )
        if not any(block.subnet_of(private) for private in PRIVATE):
            faults.add(
                link.at("seen-as"),
                f"{block} is not private",
                f"addresses outside {listed(PRIVATE)} belong to others",
                f"Use a private one that the client of link {name} grants, such as 100.64.10.0/26.",
            )


def peer_outside(view: View, faults: Faults) -> None:
    """A link cannot be found through itself."""
    for name, link in view.links.items():
        peer = link.get("peer")
        inside = next((network for network in link.get("networks", ()) if peer is not None and peer in network), None)
        if inside is not None:
            faults.add(
                link.at("peer"),
                f"the peer {peer} lies in {inside}, behind the link {name} itself",
                "the tunnel is built to the peer, outside of what it carries",
                "Use the peer's public address.",
            )


def behind_links(view: View, faults: Faults) -> None:
    """What lies behind a link is an address in one of its networks, and the link is this environment's."""
    for name, place in view.destinations.items():
        link_name = place.get("link")
        if link_name is None or "links" in view.said.broken:
            continue
        link = view.links.get(link_name)
        if link is None:
            if link_name not in (view.said.get("links") or {}):
                _no_link(view, name, place, link_name, faults)
            continue
        to = place.get("to")
        if to is None:
            continue
        if to.network is None:
            faults.add(
                place.at("to"),
                f"{to.host} is a name, and lies behind the link {link_name}",
                "a link carries addresses; which one a name has is not known beforehand",
                "Use its address: ADDRESS:PORT.",
            )
            continue
        networks = link.get("networks")
        if networks is not None and not any(to.network.subnet_of(network) for network in networks):
            faults.add(
                place.at("to"),
                f"{to.network if to.network.prefixlen < 32 else to.network.network_address} "
                f"does not lie behind the link {link_name}",
                f"it carries {listed(networks)} (line {link.at('networks').line})",
                "Correct the address, or add its network to the link.",
            )


def _no_link(view: View, name: str, place: Said, link: str, faults: Faults) -> None:
    if not place.node.path.startswith("environments/") and not place.at("link").path.startswith("environments/"):
        faults.add(
            place.at("link"),
            f"{name} lies behind the link {link}, and is common to all environments",
            "links belong to one environment, and so does what lies behind them",
            f"Move {name} to the environment that has the link, under its destinations.",
        )
        return
    close = faults.near(link, view.links.keys())
    faults.add(
        place.at("link"),
        f"{view.name} has no link {link}",
        "what lies behind a link needs it in the same environment",
        f"Did you mean {close}?" if close else f"Declare it in environments/{view.name}/links, or correct its name.",
    )


def outside(view: View, faults: Faults) -> None:
    """A destination without a link lies neither in the environment's own network nor behind a link."""
    own = view.said.get("network")
    carried = {network: name for name, link in view.links.items() for network in link.get("networks", ())}
    for name, place in view.destinations.items():
        to = place.get("to")
        if to is None or to.network is None or not place.absent("link"):
            continue
        if own is not None and to.network.subnet_of(own):
            faults.add(
                place.at("to"),
                f"{name} lies in the network of {view.name}, {own}",
                "a destination is outside; what is inside is reached as a service",
                "Name the service in reaches, or correct the address.",
            )
        wider = (to.network.supernet(new_prefix=prefix) for prefix in range(to.network.prefixlen + 1))
        link = next((carried[network] for network in wider if network in carried), None) if carried else None
        if link is not None:
            faults.add(
                place.at("to"),
                f"{name} lies behind the link {link} and does not say so",
                "without the link it would be looked for in the internet",
                f"Write `{{ link: {link}, to: {_written(to.network, to.port)} }}` in the environment.",
            )


def _written(network: IPv4Network, port: int) -> str:
    return f"{network.network_address if network.prefixlen == 32 else network}:{port}"


CHECKS = (apart, seen_as, peer_outside, behind_links, outside)
