"""Change sets: what applying a template would do, pinned until somebody executes it or it is thrown away."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import failures
from anden.engines.aws.errors import code, explained
from anden.engines.aws.render.account import bucket_name
from anden.engines.aws.session import Session
from anden.model.approval import Effect
from anden.model.ids import Digest, EnvironmentKey, short
from anden.model.problem import Problems
from anden.model.stack import StackWanted

MOST_INLINE_BYTES = 51_200
"""Of a template in the request itself; larger ones go through S3 (CloudFormation user guide, "Quotas")."""
MOST_BYTES = 1_048_576
"""Of a template at all, through S3 (the same page)."""
MOST_TAG = 256
"""Characters of a tag's value (CloudFormation API, "Tag")."""
PREVIEW_LIMIT_S = 300.0
"""To make one change set: a drift-aware one reads every resource of the stack."""
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
NOT_FOUND = frozenset({"ChangeSetNotFound", "ChangeSetNotFoundException"})
NOTHING = ("didn't contain changes", "no updates are to be performed")
CLIENT, ENVIRONMENT, BLUEPRINT = "anden:client", "anden:environment", "anden:blueprint"
FAMILY, TEMPLATE, AFTER = "anden:family", "anden:template", "anden:after"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """id: pins it for `execute`. stack: the stack's id. effects: what it would do, without new values of our own tags,
    which every resource gets. nothing: it would change nothing at all; there is nothing to execute then, and the change
    set is gone already."""

    id: str
    stack: str
    effects: tuple[Effect, ...]
    nothing: bool = False


def tags(key: EnvironmentKey, stack: StackWanted, blueprint: Digest) -> Mapping[str, str]:
    """What a stack is tagged with. CloudFormation puts them back with the rest when an update fails, so that the
    template's digest always says what stands."""
    return {
        CLIENT: key.client, ENVIRONMENT: key.environment, BLUEPRINT: blueprint, FAMILY: stack.family,
        TEMPLATE: stack.digest, AFTER: " ".join(stack.after)[:MOST_TAG] or "-",
    }  # fmt: skip


def preview(
    session: Session, key: EnvironmentKey, stack: StackWanted, blueprint: Digest, *, create: bool, drift_aware: bool,
    poll_s: float, stop: Callable[[], bool],
) -> ChangeSet:  # fmt: skip
    """Make the change set; one of the same name, left by a run that was cut off, is made anew. Raises Problems."""
    where = f"stack {stack.name}"
    client = session.client("cloudformation", stack.region)
    name = f"anden-{short(blueprint)}-{stack.digest.removeprefix('sha256:')[:12]}"
    words: dict[str, Any] = {
        "StackName": stack.name, "ChangeSetName": name, "ChangeSetType": "CREATE" if create else "UPDATE",
        "Capabilities": list(CAPABILITIES), "Description": f"blueprint {blueprint}",
        "Tags": [{"Key": key, "Value": value} for key, value in tags(key, stack, blueprint).items()],
        **_body(session, key, stack),
    }  # fmt: skip
    if drift_aware and not create:
        words["DeploymentMode"] = "REVERT_DRIFT"
    elif retains(stack.template):
        # What an earlier life of the stack has left under a name of its own is taken up again. Not together with the
        # other: nothing says that AWS takes both, and in a stack that is there, what it retains is in it already.
        words["ImportExistingResources"] = True
    with explained(where):
        try:
            client.delete_change_set(StackName=stack.name, ChangeSetName=name)
        except ClientError as error:
            if code(error) not in NOT_FOUND | {"ValidationError"}:
                raise
        made = client.create_change_set(**words)
        found = _made(client, made["Id"], stack.name, poll_s, stop)
    if found["Status"] == "CREATE_COMPLETE":
        return ChangeSet(made["Id"], made["StackId"], _effects(client, found))
    reason = str(found.get("StatusReason", "")).rstrip(".")
    with explained(where):
        client.delete_change_set(ChangeSetName=made["Id"])
    if any(each in reason.lower() for each in NOTHING):
        return ChangeSet(made["Id"], made["StackId"], (), nothing=True)
    raise Problems(failures.refused(stack.name, reason))


def retains(template: str) -> bool:
    """It has resources that stay when the stack goes; only those can be taken up again."""
    made: Iterable[Mapping[str, Any]] = json.loads(template)["Resources"].values()
    return any(str(each.get("DeletionPolicy", "")).startswith("Retain") for each in made)


def _made(client: Any, id: str, stack: str, poll_s: float, stop: Callable[[], bool]) -> Mapping[str, Any]:
    deadline = time.monotonic() + PREVIEW_LIMIT_S
    while True:
        found: Mapping[str, Any] = client.describe_change_set(ChangeSetName=id)
        if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            return found
        if stop() or time.monotonic() > deadline:
            raise Problems(failures.unready(stack, PREVIEW_LIMIT_S))
        time.sleep(poll_s)


def _effects(client: Any, found: Mapping[str, Any]) -> tuple[Effect, ...]:
    """All pages of it."""
    changes = list(found["Changes"])
    while "NextToken" in found:
        found = client.describe_change_set(ChangeSetName=found["ChangeSetId"], NextToken=found["NextToken"])
        changes += found["Changes"]
    told = [each["ResourceChange"] for each in changes if "ResourceChange" in each]
    return tuple(_effect(each) for each in told if each.get("Scope") != ["Tags"])


def _effect(change: Mapping[str, Any]) -> Effect:
    why = dict.fromkeys(
        " ".join(filter(None, (each.get("Target", {}).get("Name") or each.get("Target", {}).get("Attribute", ""),
                               f"({each['CausingEntity']})" if each.get("CausingEntity") else "")))
        for each in change.get("Details", ())
    )  # fmt: skip
    return Effect(
        change["Action"], change["LogicalResourceId"], change["ResourceType"], change.get("Replacement", ""),
        tuple(filter(None, why)),
    )  # fmt: skip


def _body(session: Session, key: EnvironmentKey, stack: StackWanted) -> Mapping[str, str]:
    """The template in the request, or where S3 has it. Raises Problems: it is too large, and there is no bucket."""
    body = stack.template.encode()
    if len(body) > MOST_BYTES:
        raise Problems(failures.too_large(stack.name, len(body), MOST_BYTES))
    if len(body) <= MOST_INLINE_BYTES:
        return {"TemplateBody": stack.template}
    bucket = bucket_name(key.client, session.account())
    client = session.client("s3", session.region or stack.region)
    name = f"templates/{stack.digest.removeprefix('sha256:')}.json"
    try:
        with explained(f"stack {stack.name}"):
            client.put_object(Bucket=bucket, Key=name, Body=body, ContentType="application/json")
    except Problems as found:
        said = found.__cause__
        if isinstance(said, ClientError) and code(said) == "NoSuchBucket":
            raise Problems(failures.no_bucket(stack.name, len(body), MOST_INLINE_BYTES, bucket)) from said
        raise
    return {"TemplateURL": f"{client.meta.endpoint_url}/{bucket}/{name}"}
