"""What the emulator's DescribeNatGateways leaves out: the addresses of each."""

import re
from collections.abc import Callable
from typing import Any

from ministack.services import ec2

_ITEM = re.compile(r"<natGatewayId>([^<]*)</natGatewayId>(.*?)<natGatewayAddressSet/>", re.DOTALL)

PRIVATE = "<privateIp>10.0.0.9</privateIp>"


def install() -> None:
    """Put them into the answer of the module's own handler."""
    ec2._ACTION_MAP["DescribeNatGateways"] = _saying(ec2._ACTION_MAP["DescribeNatGateways"])


def _saying(theirs: Callable[[Any], tuple[int, Any, Any]]) -> Callable[[Any], tuple[int, Any, Any]]:
    def described(parameters: Any) -> tuple[int, Any, Any]:
        status, headers, body = theirs(parameters)
        text = body.decode() if isinstance(body, bytes) else str(body)
        return status, headers, _ITEM.sub(_addressed, text).encode()

    return described


def _addressed(item: re.Match[str]) -> str:
    nat = ec2._nat_gateways[item[1]]
    allocation = nat["AllocationId"]
    public = ec2._addresses.get(allocation, {}).get("PublicIp", "")
    said = f"<allocationId>{allocation}</allocationId><publicIp>{public}</publicIp>" if public else PRIVATE
    its = f"<item>{said}<isPrimary>true</isPrimary><status>succeeded</status></item>"
    return f"<natGatewayId>{item[1]}</natGatewayId>{item[2]}<natGatewayAddressSet>{its}</natGatewayAddressSet>"
