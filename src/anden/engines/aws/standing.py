"""What an account has already that there can be only one of, so that the account's stacks leave it out: for adopting
an account that somebody else has set up. Reads only.

What our own stacks made does not count: leaving it out would delete it. What cannot be read raises Problems, because a
wrong guess either fails the stack or leaves the account unwatched.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from anden.engines.aws.render.account import ACCOUNT_TRAIL, Present
from anden.engines.aws.render.delivery import ISSUER
from anden.engines.aws.render.naming import ACCOUNT
from anden.model.problem import Problem, Problems

Clients = Callable[[str], Any]
"""The name of a service to a boto3 client for the account's region: `clients("iam")`."""

OURS: Mapping[Present, tuple[str, str]] = {
    Present.GITHUB: (ACCOUNT, "Github"), Present.SCANNING: (ACCOUNT, "Scanning"),
    Present.TRAIL: (ACCOUNT_TRAIL, "Trail"), Present.GUARDDUTY: (ACCOUNT_TRAIL, "Detector"),
    Present.CONFIG: (ACCOUNT_TRAIL, "Recorder"),
}  # fmt: skip
"""In which of our stacks each would be, and its logical name there."""


def present(clients: Clients, client: str) -> frozenset[Present]:
    """What the account has and our stacks did not make. client: whose account. Raises Problems with all that could not
    be read."""
    found: set[Present] = set()
    problems: list[Problem] = []
    ours = {family: _made(clients, f"anden-{client}-{family}", problems) for family in (ACCOUNT, ACCOUNT_TRAIL)}
    for what, look in LOOKS.items():
        family, name = OURS[what]
        if name in ours[family]:
            continue
        try:
            if look(clients):
                found.add(what)
        except (BotoCoreError, ClientError) as error:
            problems.append(_unread(f"whether the account has {WORDS[what]}", error))
    if problems:
        raise Problems(problems)
    return frozenset(found)


def _made(clients: Clients, stack: str, problems: list[Problem]) -> frozenset[str]:
    """The logical names of what a stack holds; empty: there is no such stack."""
    try:
        pages = clients("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        return frozenset(
            each["LogicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceStatus"] not in GONE
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ValidationError":
            return frozenset()
        problems.append(_unread(f"the stack {stack}", error))
    except BotoCoreError as error:
        problems.append(_unread(f"the stack {stack}", error))
    return frozenset()


GONE = frozenset({"DELETE_COMPLETE", "CREATE_FAILED"})


def _github(clients: Clients) -> bool:
    listed: Sequence[Any] = clients("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return any(each["Arn"].endswith(f"oidc-provider/{ISSUER}") for each in listed)


def _trail(clients: Clients) -> bool:
    """An organization's counts: it shows in its accounts."""
    return bool(clients("cloudtrail").describe_trails(includeShadowTrails=True)["trailList"])


def _guardduty(clients: Clients) -> bool:
    return bool(clients("guardduty").list_detectors()["DetectorIds"])


def _config(clients: Clients) -> bool:
    return bool(clients("config").describe_configuration_recorders()["ConfigurationRecorders"])


def _scanning(clients: Clients) -> bool:
    """Every registry has a configuration; without rules nobody has asked for anything."""
    return bool(clients("ecr").get_registry_scanning_configuration().get("scanningConfiguration", {}).get("rules"))


LOOKS: Mapping[Present, Callable[[Clients], bool]] = {
    Present.GITHUB: _github, Present.TRAIL: _trail, Present.GUARDDUTY: _guardduty, Present.CONFIG: _config,
    Present.SCANNING: _scanning,
}  # fmt: skip
WORDS: Mapping[Present, str] = {
    Present.GITHUB: "GitHub as an identity provider", Present.TRAIL: "a trail", Present.GUARDDUTY: "GuardDuty",
    Present.CONFIG: "a recorder of Config", Present.SCANNING: "scanning rules in its registry",
}  # fmt: skip


def _unread(what: str, error: Exception) -> Problem:
    fix = "Sign in as whoever sets the account up: it takes an administrator of the account."
    return Problem("AWS account", f"cannot tell {what}", str(error).rstrip("."), fix)
