"""A link as AWS has it, once its VPN connection is there: the outside addresses of our endpoints, and its tunnels."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from anden.assess.outages import followed
from anden.engines.aws.errors import explained
from anden.engines.aws.publishing import published
from anden.engines.aws.render import naming
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.link import OUR_ASN, Endpoint, LinkSeen, TunnelSeen
from anden.model.link import Session as Bgp
from anden.model.problem import Problem
from anden.model.topology import Link, Topology

UP = "UP"
"""A tunnel's status (EC2 API, "VgwTelemetry")."""
IPSEC_UP = "IPSEC IS UP"
"""What it says of a tunnel whose channels stand and whose BGP session does not. People report it and no page of AWS's
has it: docs/aws/network.md counts it among what only a real account proves."""


def endpoints(
    session: Session, key: EnvironmentKey, region: str, link: str, insides: Sequence[IPv4Interface]
) -> tuple[Endpoint, ...]:
    """One for each inside, in their order: AWS tells tunnels in any order, and the inside says which is which. An
    address is None while the connection is not there, or does not tell it yet. Raises Problems: AWS cannot be asked."""
    its_id = published(session, key, region, f"{naming.NETWORK}/{naming.link_key(link)}")
    outside: dict[IPv4Network, IPv4Address] = {}
    if its_id is not None:
        with explained(f"link {link}"):
            found = session.client("ec2", region).describe_vpn_connections(VpnConnectionIds=[its_id])
        for connection in found["VpnConnections"]:
            for tunnel in connection.get("Options", {}).get("TunnelOptions", ()):
                if tunnel.get("OutsideIpAddress") and tunnel.get("TunnelInsideCidr"):
                    outside[IPv4Network(tunnel["TunnelInsideCidr"])] = IPv4Address(tunnel["OutsideIpAddress"])
    return tuple(Endpoint(outside.get(ours.network), ours) for ours in insides)


def seen(session: Session, key: EnvironmentKey, region: str, topology: Topology) -> tuple[LinkSeen, ...]:
    """The tunnels of every link that stands, numbered by their insides as on the twin. Which of two that are up carries
    is AWS's affair and not told: the first counts as it. Of outages AWS knows the one that lasts. Raises Problems: AWS
    cannot be asked."""
    links = {
        its_id: link for link in topology.links
        if (its_id := published(session, key, region, f"{naming.NETWORK}/{naming.link_key(link.name)}")) is not None
    }  # fmt: skip
    if not links:
        return ()
    with explained("links"):
        found = session.client("ec2", region).describe_vpn_connections(VpnConnectionIds=[*links])["VpnConnections"]
    told = {each["VpnConnectionId"]: tuple(_tunnels(each, links[each["VpnConnectionId"]])) for each in found}
    return tuple(
        LinkSeen(
            link.name, link.peer, next((one.number for one in tunnels if one.carries), None), tunnels,
            outage=followed(None, tunnels, 0.0),
        )
        for its_id, link in links.items()
        if (tunnels := told.get(its_id, ()))
    )  # fmt: skip


def _tunnels(connection: Mapping[str, Any], link: Link) -> Iterator[TunnelSeen]:
    heard = {str(each.get("OutsideIpAddress")): each for each in connection.get("VgwTelemetry", ())}
    options = connection.get("Options", {}).get("TunnelOptions", ())
    insides = {each.get("OutsideIpAddress"): each.get("TunnelInsideCidr") for each in options}
    for number, outside in enumerate(sorted(heard, key=lambda each: _place(insides.get(each))), 1):
        its = heard[outside]
        up, changed = its.get("Status") == UP, its.get("LastStatusChange")
        since = changed.timestamp() if isinstance(changed, datetime) else 0.0
        problem = None if up else _down(link, number, its, outside)
        yield TunnelSeen(number, up, since, outside, problem=problem, bgp=_spoken(link, number, its) if up else None)


def _place(inside: str | None) -> tuple[bool, IPv4Network]:
    return inside is None, IPv4Network(inside or "0.0.0.0/0")


def _spoken(link: Link, number: int, told: Mapping[str, Any]) -> Bgp | None:
    """AWS calls a tunnel up whose session is established, and counts what it takes; which networks those are it does
    not say (EC2 API, "VgwTelemetry")."""
    if link.bgp is None:
        return None
    count, wanted = int(told.get("AcceptedRouteCount") or 0), len(link.networks)
    if count == wanted:
        return Bgp("established", True)
    where, what = f"link {link.name}, tunnel {number}, BGP", f"{count} networks are announced, declared are {wanted}"
    why = "AWS counts them and does not say which; routes lead to declared ones only"
    fix = f"Have {link.peer} announce exactly what `anden link config {link.name}` says."
    return Bgp("established", count > wanted, problem=Problem(where, what, why, fix))


def _down(link: Link, number: int, told: Mapping[str, Any], outside: str) -> Problem:
    said = str(told.get("StatusMessage") or "").strip()
    why = f"AWS says: {said}" if said else "AWS does not say why; its log of the tunnel does, in CloudWatch Logs"
    if link.bgp is not None and said == IPSEC_UP:
        fix = (
            f"Have {link.peer} be AS {link.bgp}, and take us for AS {OUR_ASN}, at the neighbours inside of the tunnel."
        )
        return Problem(f"link {link.name}, tunnel {number}", "its BGP session is not established", why, fix)
    fix = (
        f"Check that {link.peer} runs, admits UDP 500 and 4500 from {outside}, and is configured as `anden link config"
        f" {link.name}` says."
    )
    return Problem(f"link {link.name}, tunnel {number}", "it is down", why, fix)
