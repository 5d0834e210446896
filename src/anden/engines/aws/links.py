"""Our endpoints of a link as AWS gives them: the outside addresses of its VPN connection, once it is there."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from anden.engines.aws.errors import explained
from anden.engines.aws.observe import published
from anden.engines.aws.render import naming
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.link import Endpoint


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
