"""What was changed by hand, by CloudFormation's own comparison. It keeps the results of the last look with its time,
which is what an observation reads; a look of its own takes minutes, so that it begins only when it is asked for.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import code, explained, message
from anden.engines.aws.session import Session
from anden.model.stack import StackSeen, StackState

MOST_AT_ONCE = 8
"""Stacks that are compared at the same time."""
LIMIT_S = 180.0
"""For all of them together: what is not compared by then goes on in AWS, and the next look finds it."""
POLL_S = 2.0
DIFFERENT = ("MODIFIED", "DELETED")


def known(client: Any, found: Mapping[str, Any]) -> tuple[float | None, tuple[str, ...]]:
    """When a stack was last compared (Unix seconds; None: not since it was last changed), and what was not as its
    template says: `RouteA`, `Topic (deleted)`. found: as DescribeStacks gives it. Raises Problems."""
    told = found.get("DriftInformation", {})
    looked = told.get("LastCheckTimestamp")
    changed = found.get("LastUpdatedTime") or found.get("CreationTime")
    if looked is None or told.get("StackDriftStatus") not in ("DRIFTED", "IN_SYNC"):
        return None, ()
    if changed is not None and looked.replace(microsecond=0) < changed.replace(microsecond=0):
        return None, ()  # what it says is of another template
    if told["StackDriftStatus"] == "IN_SYNC":
        return looked.timestamp(), ()
    names: list[str] = []
    token: dict[str, str] = {}
    with explained(f"stack {found['StackName']}"):
        while True:
            page = client.describe_stack_resource_drifts(
                StackName=found["StackId"], StackResourceDriftStatusFilters=list(DIFFERENT), **token
            )
            names += [_name(each) for each in page["StackResourceDrifts"]]
            if not page.get("NextToken"):
                return looked.timestamp(), tuple(sorted(names))
            token = {"NextToken": page["NextToken"]}


def look(session: Session, stacks: Sequence[StackSeen], before: float, poll_s: float = POLL_S) -> None:
    """Compare those that are settled and were not compared since `before` (Unix seconds), and wait for the results,
    LIMIT_S at most. Raises Problems: AWS cannot be asked, or refuses."""
    due = [one for one in stacks if one.state is not StackState.WORKING and (one.looked_at or 0.0) < before]
    deadline = time.monotonic() + LIMIT_S
    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="anden-drift") as pool:
        for done in [pool.submit(_look, session, one, deadline, poll_s) for one in due]:
            done.result()


def _look(session: Session, one: StackSeen, deadline: float, poll_s: float) -> None:
    if time.monotonic() > deadline:
        return
    client = session.client("cloudformation", one.region)
    with explained(f"stack {one.name}"):
        try:
            begun = client.detect_stack_drift(StackName=one.name)["StackDriftDetectionId"]
        except ClientError as error:
            if code(error) == "ValidationError" and _cannot(message(error)):
                return
            raise
        while time.monotonic() < deadline:
            status = client.describe_stack_drift_detection_status(StackDriftDetectionId=begun)["DetectionStatus"]
            if status != "DETECTION_IN_PROGRESS":
                return
            time.sleep(poll_s)


def _cannot(said: str) -> bool:
    """Nothing stands there to be compared, or somebody compares it just now."""
    return any(each in said for each in ("in progress", "does not exist", "cannot be performed", "state"))


def _name(each: Mapping[str, Any]) -> str:
    deleted = " (deleted)" if each["StackResourceDriftStatus"] == "DELETED" else ""
    return f"{each['LogicalResourceId']}{deleted}"
