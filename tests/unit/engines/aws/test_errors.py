"""What people read when AWS does not do it: errors/wording.txt, one error a line. ANDEN_GOLDEN=write writes it anew."""

import os
from pathlib import Path

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)

from anden.engines.aws import failures
from anden.engines.aws.errors import code, explained, problem
from anden.engines.aws.happenings import Cause
from anden.model.problem import Problems

FILE = Path(__file__).parent / "errors" / "wording.txt"
URL = "https://cloudformation.eu-moon-1.amazonaws.com/"
BACK = Cause("Filter", "AWS::Logs::MetricFilter", "The specified log group does not exist")
CAUSE = Cause("Nat", "AWS::EC2::NatGateway", "The maximum number of addresses has been reached")


def answered(its: str, said: str, asked: str = "CreateChangeSet") -> ClientError:
    return ClientError({"Error": {"Code": its, "Message": said}}, asked)


RAISED: tuple[Exception, ...] = (
    NoCredentialsError(), UnauthorizedSSOTokenError(), ProfileNotFound(profile="bank"), NoRegionError(),
    EndpointConnectionError(endpoint_url=URL), ConnectTimeoutError(endpoint_url=URL),
    answered("ExpiredToken", "The security token included in the request is expired."),
    answered("InvalidClientTokenId", "The security token included in the request is invalid."),
    answered("AccessDenied", "User: ana is not authorized to perform: cloudformation:CreateChangeSet"),
    answered("OptInRequired", "You are not subscribed to this service."), answered("Throttling", "Rate exceeded"),
    answered("ValidationError", "Template format error: Unresolved resource dependencies [Vpc]"),
)  # fmt: skip


STACK = "anden-banco-dev-edge"
KEPT = Cause("Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer",
             "Load balancer 'web' cannot be deleted because deletion protection is enabled")  # fmt: skip
STACKS = (
    failures.half_deleted(STACK, KEPT), failures.undeletable(STACK, "DELETE_FAILED", KEPT, ["Balancer"]),
    failures.undeletable(STACK, "DELETE_FAILED", Cause("Vpc", "AWS::EC2::VPC", "it has dependencies"), []),
    failures.undeletable(STACK, "DELETE_FAILED", Cause(), []), failures.unready(STACK, 300),
    failures.unended(STACK, 10_800, "UPDATE_IN_PROGRESS"), failures.refused(STACK, "Circular dependency: [A, B]"),
    failures.stale(STACK, "ChangeSet [approved] does not exist"), failures.moved(STACK, "UPDATE_COMPLETE"),
    failures.too_large(STACK, 1_100_000, 1_048_576), failures.no_bucket(STACK, 60_000, 51_200, "anden-banco-1"),
    failures.other_account("111122223333", "444455556666"), failures.CUT_OFF,
)  # fmt: skip


def test_the_wording_is_as_kept() -> None:
    said = [str(problem("stack anden-banco-dev-network", each)) for each in RAISED]
    for ended in ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
        said.append(str(failures.failed("anden-banco-dev-network", ended, CAUSE)))
    said.append(str(failures.stuck("anden-banco-dev-network", CAUSE, BACK)))
    said += [str(each) for each in STACKS]
    text = "\n".join(said) + "\n"
    if os.environ.get("ANDEN_GOLDEN") == "write":
        FILE.write_text(text)
    assert FILE.read_text() == text


def test_what_botocore_raises_becomes_problems_and_what_anden_raises_does_not() -> None:
    with pytest.raises(Problems, match="there are no credentials"), explained("AWS"):
        raise NoCredentialsError
    with pytest.raises(KeyError), explained("AWS"):
        raise KeyError("ours")
    assert (code(answered("Throttling", "")), code(KeyError())) == ("Throttling", "")
