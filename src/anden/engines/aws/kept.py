"""What outlives an environment: its fixed addresses and its key, each in a stack of its own. What they are, what they
cost, and giving them up for ever.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import tables
from anden.engines.aws.cost import HOURS
from anden.engines.aws.errors import code, explained
from anden.engines.aws.render import naming
from anden.engines.aws.render.keys import WAITING_DAYS
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.stack import Kept
from anden.model.topology import Egress, Topology
from anden.planning.addressing import ZONE_NAMES

GONE = frozenset({"InvalidAllocationID.NotFound", "NotFoundException", "ParameterNotFound"})
ENDING = "KMSInvalidStateException"
"""The key is on its way out already."""


def published(session: Session, key: EnvironmentKey, region: str) -> Mapping[str, str]:
    """What the stacks that outlive the environment publish, by `FAMILY/KEY`. In one call. Raises Problems."""
    names = [f"{naming.fixed_address(zone).family}/{naming.fixed_address(zone).key}" for zone in ZONE_NAMES]
    names.append(f"{naming.KEYS}/{naming.KEY.key}")
    space = f"/anden/{key.client}/{key.environment}/"
    with explained(str(key)):
        found = session.client("ssm", region).get_parameters(Names=[space + name for name in names])["Parameters"]
    return {each["Name"].removeprefix(space): each["Value"] for each in found}


def egress(known: Mapping[str, str], topology: Topology | None) -> Mapping[str, IPv4Address]:
    """Zone to the fixed address from which it leaves, as far as there is one; `*` where one serves them all. topology:
    what the environment is meant to be; None: nobody has said, and every address counts."""
    found: dict[str, IPv4Address] = {
        str(zone): IPv4Address(known[name])
        for zone in ZONE_NAMES
        if (name := f"{naming.address_family(zone)}/{naming.fixed_address(zone).key}") in known
    }
    if topology is None:
        return found
    if topology.egress is Egress.ONE:
        return {"*": found[ZONE_NAMES[0]]} if ZONE_NAMES[0] in found else {}
    wanted = ZONE_NAMES[: topology.zones] if topology.egress is Egress.PER_ZONE else ()
    return {zone: found[zone] for zone in wanted if zone in found}


def kept(family: str, known: Mapping[str, str], region: str) -> Kept | None:
    """What a stack of that family keeps; None: it goes with the environment."""
    if not naming.outlives(family):
        return None
    prices = tables.prices().regions.get(region, {})
    if family == naming.KEYS:
        arn = known.get(f"{family}/{naming.KEY.key}", "")
        return Kept(family, f"KMS key {arn.rpartition('/')[2]}".strip(), prices.get("key"))
    address = known.get(f"{family}/{naming.fixed_address(family.removeprefix('address-')).key}")
    hourly = prices.get("address")
    return Kept(family, address or "a fixed address", round(hourly * HOURS, 2) if hourly is not None else None)


def release(session: Session, its_id: str, region: str) -> Iterator[str]:
    """Give up what the stack holds, and say what. To be done before the stack goes: as long as it stands, whoever was
    interrupted finds what is left. Raises Problems: it is in use, or may not be given up."""
    with explained(f"stack {its_id}"):
        pages = session.client("cloudformation", region).get_paginator("list_stack_resources")
        held = [each for page in pages.paginate(StackName=its_id) for each in page["StackResourceSummaries"]]
    for each in held:
        if each["ResourceType"] == "AWS::KMS::Key" and each.get("PhysicalResourceId"):
            yield _end_key(session.client("kms", region), each["PhysicalResourceId"])
        if each["ResourceType"] == "AWS::SSM::Parameter" and str(each.get("PhysicalResourceId", "")).endswith(
            f"/{naming.allocation(ZONE_NAMES[0]).key}"
        ):
            yield from _give_up(session, each["PhysicalResourceId"], region)


def _give_up(session: Session, parameter: str, region: str) -> Iterator[str]:
    """By the id that the stack publishes: an address alone may be somebody else's by now."""
    with explained(parameter):
        try:
            allocation: Any = session.client("ssm", region).get_parameter(Name=parameter)["Parameter"]["Value"]
            session.client("ec2", region).release_address(AllocationId=allocation)
        except ClientError as error:
            if code(error) not in GONE:
                raise
            return
    yield f"{allocation} released"


def _end_key(client: Any, its_id: str) -> str:
    with explained(f"key {its_id}"):
        try:
            ends = client.schedule_key_deletion(KeyId=its_id, PendingWindowInDays=WAITING_DAYS)["DeletionDate"]
        except ClientError as error:
            if code(error) not in GONE | {ENDING}:
                raise
            return f"key {its_id} is on its way out"
    return f"key {its_id} ends on {ends:%Y-%m-%d}; until then `aws kms cancel-key-deletion --key-id {its_id}` keeps it"
