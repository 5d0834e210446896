"""By which address something leaves, as AWS's route tables and NAT gateways say it. Nobody saw it there: whoever is
called could, and the NAT gateway's public address appears in no flow log (docs/decisions/0024)."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from anden.engines.aws.errors import explained
from anden.engines.aws.session import Session

ANYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class WayOut:
    """by: the id of what it goes through, "" where no route leads there. given: the address that the other side should
    see, or the subnet's network where nothing translates; "" where AWS says none."""

    by: str = ""
    given: str = ""


class WaysOut:
    """Of the subnets of one environment, each asked for once."""

    def __init__(self, session: Session, region: str) -> None:
        self._client = session.client("ec2", region)
        self._routes: dict[str, list[dict[str, Any]]] = {}
        self._nats: dict[str, str] = {}

    def of(self, subnet: str, network: str, host: str) -> WayOut:
        """From a subnet, whose own network is `network`, to a host; a name is taken for somewhere in the internet.
        Raises Problems."""
        found = route(self._table(subnet), host)
        if found is None:
            return WayOut()
        nat = str(found.get("NatGatewayId") or "")
        if nat:
            return WayOut(nat, self._address(nat))
        return WayOut(str(found.get("GatewayId") or found.get("TransitGatewayId") or ""), network)

    def _table(self, subnet: str) -> list[dict[str, Any]]:
        if subnet not in self._routes:
            with explained(f"routes of {subnet}"):
                tables = self._client.describe_route_tables(
                    Filters=[{"Name": "association.subnet-id", "Values": [subnet]}]
                )["RouteTables"]
            self._routes[subnet] = [dict(each) for table in tables for each in table["Routes"]]
        return self._routes[subnet]

    def _address(self, nat: str) -> str:
        """The public one; a private NAT gateway's own."""
        if nat not in self._nats:
            with explained(f"NAT gateway {nat}"):
                found = self._client.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"]
            addresses = [each for one in found for each in one.get("NatGatewayAddresses", ())]
            first: dict[str, Any] = next((each for each in addresses if each.get("IsPrimary", True)), {})
            self._nats[nat] = str(first.get("PublicIp") or first.get("PrivateIp") or "")
        return self._nats[nat]


def route(routes: Sequence[dict[str, Any]], host: str) -> dict[str, Any] | None:
    """The one that is taken: the longest prefix that has the host. Pure."""
    try:
        address: IPv4Address | None = IPv4Address(host)
    except ValueError:
        address = None
    fitting = []
    for each in routes:
        network = IPv4Network(each.get("DestinationCidrBlock") or "255.255.255.255/32")
        if each.get("State", "active") == "active" and (network == ANYWHERE or (address and address in network)):
            fitting.append((network.prefixlen, each))
    return max(fitting, key=lambda each: each[0], default=(0, None))[1]
