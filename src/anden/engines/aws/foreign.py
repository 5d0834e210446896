"""What an account holds that is not anden's, for whoever adopts it: it is shown, and nothing of it is touched.

Reads only. What cannot be read is said, with AWS's words.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from anden.engines.aws import account_facts, tables
from anden.engines.aws.preview import CLIENT
from anden.model.account import Foreign
from anden.model.problem import Problems
from anden.model.topology import Topology

Clients = Callable[[str], Any]
MOST_COUNTED = 1000
"""Things of one kind that are counted."""
MOST_NAMED = 5
"""Things of one kind that are named."""
OURS = "anden-"
"""What names of anden's stacks and policies begin with."""


def foreign(clients: Clients, topology: Topology, now: float) -> tuple[tuple[Foreign, ...], tuple[str, ...]]:
    """What is there, and what could not be looked at. clients: of the account, in its region. now: Unix seconds."""
    found: list[Foreign] = []
    unread: list[str] = []
    for what, look in LOOKS.items():
        try:
            names = list(islice(look(clients, topology.client), MOST_COUNTED))
        except (BotoCoreError, ClientError) as error:
            unread.append(f"{what}: {account_facts.reason(error)}")
            continue
        if names:
            found.append(Foreign(what, tuple(names[:MOST_NAMED]), len(names)))
    return (*found, *_consumed(clients, topology, now)), tuple(unread)


def controls(organizations: Any, account: str) -> Foreign | None:
    """The service control policies that are on an account and not anden's. Raises botocore's errors."""
    pages = organizations.get_paginator("list_policies_for_target").paginate(
        TargetId=account, Filter="SERVICE_CONTROL_POLICY"
    )
    names = [each["Name"] for page in pages for each in page["Policies"] if not each["Name"].startswith(OURS)]
    return Foreign("service control policies", tuple(names[:MOST_NAMED]), len(names)) if names else None


def _consumed(clients: Clients, topology: Topology, now: float) -> Iterator[Foreign]:
    """Quotas of which something is used, a line each."""
    quotas = tables.quotas()
    try:
        facts = account_facts.read(clients, topology, quotas, now)
    except Problems:
        return
    rows = []
    for key, used in sorted(facts.used.items()):
        known = quotas.quotas.get(key)
        if used and known is not None:
            rows.append(f"{known.name} {used:g} of {facts.quotas.get(key, known.default):g}")
    if rows:
        yield Foreign("quotas in use", tuple(rows), len(rows))


def _vpcs(clients: Clients, client: str) -> Iterator[str]:
    for page in clients("ec2").get_paginator("describe_vpcs").paginate():
        for each in page["Vpcs"]:
            tags = {tag["Key"]: tag["Value"] for tag in each.get("Tags", ())}
            if tags.get(CLIENT) != client:
                yield f"{each['VpcId']} {each['CidrBlock']}" + (" (default)" if each.get("IsDefault") else "")


def _stacks(clients: Clients, client: str) -> Iterator[str]:
    for page in clients("cloudformation").get_paginator("describe_stacks").paginate():
        for each in page["Stacks"]:
            if not each["StackName"].startswith(OURS) and each["StackStatus"] != "DELETE_COMPLETE":
                yield each["StackName"]


def _policies(clients: Clients, client: str) -> Iterator[str]:
    for page in clients("iam").get_paginator("list_policies").paginate(Scope="Local"):
        yield from (each["PolicyName"] for each in page["Policies"] if not each["PolicyName"].startswith(OURS))


LOOKS: Mapping[str, Callable[[Clients, str], Iterator[str]]] = {
    "VPCs": _vpcs, "stacks": _stacks, "policies of IAM": _policies,
}  # fmt: skip
