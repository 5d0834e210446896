"""Accounts and policies of an organization: the emulator has the API and not the resource types.

As AWS documents them: an address is used once, in all of time; a policy is attached to accounts that there are; what is
attached is detached before it goes; a deleted account is closed.
"""

import importlib
import json
from typing import Any

from .schema import Schemas

Handlers = dict[str, dict[str, Any]]
Made = tuple[str, dict[str, Any]]


def provisioners(schemas: Schemas) -> Handlers:
    """The types of AWS::Organizations that templates of anden's make."""
    return {
        "AWS::Organizations::Account": {"create": _account, "update": _account_again, "delete": _close},
        "AWS::Organizations::Policy": {"create": _policy, "update": _policy_again, "delete": _unmake},
    }


def _call(name: str, **words: Any) -> dict[str, Any]:
    service: Any = importlib.import_module("ministack.services.organizations")
    status, _, body = getattr(service, f"_{name}")(words)
    answer: dict[str, Any] = json.loads(body or b"{}")
    if status >= 300:
        raise ValueError(f"{answer.get('__type', status)}: {answer.get('message', answer.get('Message', ''))}")
    return answer


def _account(logical: str, properties: dict[str, Any], stack: str) -> Made:
    used = [each for each in _call("list_accounts")["Accounts"] if each["Email"] == properties["Email"]]
    if used:
        raise ValueError("EMAIL_ALREADY_EXISTS: another account has this address")
    made = _call(
        "create_account",
        Email=properties["Email"],
        AccountName=properties["AccountName"],
        Tags=properties.get("Tags", []),
    )["CreateAccountStatus"]["AccountId"]
    return made, _attributes(made)


def _attributes(account: str) -> dict[str, Any]:
    its = _call("describe_account", AccountId=account)["Account"]
    return {"AccountId": account, "Arn": its["Arn"], "Status": its["Status"]}


def _account_again(account: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Made:
    return account, _attributes(account)


def _close(account: str, properties: dict[str, Any]) -> None:
    _call("close_account", AccountId=account)


def _policy(logical: str, properties: dict[str, Any], stack: str) -> Made:
    its_id: str = _call(
        "create_policy", Name=properties["Name"], Type=properties["Type"], Content=_content(properties),
        Description=properties.get("Description", ""),
    )["Policy"]["PolicySummary"]["Id"]  # fmt: skip
    for target in properties.get("TargetIds", []):
        _call("attach_policy", PolicyId=its_id, TargetId=target)
    return its_id, {"Id": its_id}


def _policy_again(its_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Made:
    _call("update_policy", PolicyId=its_id, Content=_content(new), Name=new["Name"])
    before, after = set(old.get("TargetIds", [])), set(new.get("TargetIds", []))
    for target in sorted(before - after):
        _call("detach_policy", PolicyId=its_id, TargetId=target)
    for target in sorted(after - before):
        _call("attach_policy", PolicyId=its_id, TargetId=target)
    return its_id, {"Id": its_id}


def _unmake(its_id: str, properties: dict[str, Any]) -> None:
    for target in properties.get("TargetIds", []):
        _call("detach_policy", PolicyId=its_id, TargetId=target)
    _call("delete_policy", PolicyId=its_id)


def _content(properties: dict[str, Any]) -> str:
    content = properties["Content"]
    return content if isinstance(content, str) else json.dumps(content)
