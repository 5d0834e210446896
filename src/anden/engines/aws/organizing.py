"""The organization that the credentials belong to, as far as they may see it. Reads only."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import DENIED, code, explained
from anden.engines.aws.session import SOME_REGION, Session
from anden.model.problem import Problem

NONE = "AWSOrganizationsNotInUseException"
CONTROLS = "SERVICE_CONTROL_POLICY"


@dataclass(frozen=True, slots=True)
class Organization:
    """id: `o-…`. management: its management account, 12 digits. Both are empty when there is none, or it cannot be
    seen. accounts: 12 digits to e-mail address, of whoever manages it. root: `r-…`, with it.
    controlled: service control policies are switched on."""

    id: str = ""
    management: str = ""
    accounts: tuple[tuple[str, str], ...] = ()
    root: str = ""
    controlled: bool = False

    def with_email(self, email: str) -> str:
        """The account with this address, 12 digits; empty: none has it."""
        return next((account for account, its in self.accounts if its.lower() == email.lower()), "")


def seen(session: Session) -> Organization:
    """The organization of the session's account. Raises Problems: AWS cannot be asked."""
    client = session.client("organizations", session.region or SOME_REGION)
    with explained("organization"):
        try:
            its = client.describe_organization()["Organization"]
        except ClientError as error:
            if code(error) == NONE or code(error) in DENIED:
                return Organization()
            raise
        if its["MasterAccountId"] != session.account():
            return Organization(its["Id"], its["MasterAccountId"])
        return _managed(client, its)


def _managed(client: Any, its: dict[str, Any]) -> Organization:
    accounts = tuple(
        (each["Id"], each["Email"])
        for page in client.get_paginator("list_accounts").paginate()
        for each in page["Accounts"]
        if each.get("State", each.get("Status")) == "ACTIVE"
    )
    (root,) = client.list_roots()["Roots"]
    controlled = any(each["Type"] == CONTROLS and each["Status"] == "ENABLED" for each in root["PolicyTypes"])
    return Organization(its["Id"], its["MasterAccountId"], accounts, root["Id"], controlled)


def problems(organization: Organization, account: str) -> list[Problem]:
    """What stands in the way of guardrails. account: 12 digits; empty: it is made within the organization."""
    found = []
    if account and account not in dict(organization.accounts):
        fix = (
            f"Invite it: `aws organizations invite-account-to-organization --target Id={account},Type=ACCOUNT`,"
            " accept it there, and run this again; or use the account's own credentials, without an organization."
        )
        what = "is not in the organization of these credentials"
        found.append(Problem(f"account {account}", what, "its guardrails hang on it there", fix))
    if not organization.controlled:
        fix = f"aws organizations enable-policy-type --root-id {organization.root} --policy-type {CONTROLS}"
        what = "has service control policies switched off"
        found.append(Problem(f"organization {organization.id}", what, "guardrails are such policies", fix))
    return found
