"""The tunnels of a VPN connection, which the emulator leaves out: their addresses, and a telemetry that says DOWN until
a tag of the connection says otherwise: `up: 1 2`. One that is up accepts one route."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

FIRST = IPv4Address("192.0.2.10")
"""Of the outside addresses; documentation's own."""
UP_TAG = "up"
SINCE = "2026-11-27T02:00:00.000Z"
_inside: dict[str, list[str]] = {}


def remember(its_id: str, its: Mapping[str, Any]) -> None:
    """What the connection was made with."""
    options = its.get("VpnTunnelOptionsSpecifications", ())
    given = [str(each.get("TunnelInsideCidr") or f"169.254.99.{4 * at}/30") for at, each in enumerate(options)]
    _inside[its_id] = given


def install(ec2: Any) -> None:
    """Put them into every description of a connection. In no order of theirs, as AWS does."""
    theirs = ec2._vpn_conn_xml

    def described(vpn: Mapping[str, Any], tag: str = "item") -> str:
        said = str(theirs(vpn, tag))
        insides = _inside.get(vpn["VpnConnectionId"], [])
        tags = {each["Key"]: each["Value"] for each in ec2._tags.get(vpn["VpnConnectionId"], [])}
        up = tags.get(UP_TAG, "").split()
        ordered = sorted(insides, key=IPv4Network)
        options, telemetry = [], []
        for at, inside in enumerate(reversed(insides)):
            outside, number = FIRST + at, str(ordered.index(inside) + 1)
            options.append(
                f"<item><outsideIpAddress>{outside}</outsideIpAddress><tunnelInsideCidr>{inside}</tunnelInsideCidr></item>"
            )
            status, message, routes = ("UP", "", 1) if number in up else ("DOWN", "IPSEC IS DOWN", 0)
            telemetry.append(
                f"<item><outsideIpAddress>{outside}</outsideIpAddress><status>{status}</status>"
                f"<statusMessage>{message}</statusMessage><lastStatusChange>{SINCE}</lastStatusChange>"
                f"<acceptedRouteCount>{routes}</acceptedRouteCount></item>"
            )
        said = said.replace("</options>", f"<tunnelOptionSet>{''.join(options)}</tunnelOptionSet></options>")
        return re.sub(rf"</{tag}>\s*$", f"<vgwTelemetry>{''.join(telemetry)}</vgwTelemetry></{tag}>", said)

    ec2._vpn_conn_xml = described
