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

from anden.engines.aws import execute
from anden.engines.aws.errors import code, explained, problem
from anden.engines.aws.happenings import Cause
from anden.model.problem import Problems

FILE = Path(__file__).parent / "errors" / "wording.txt"
URL = "https://cloudformation.eu-moon-1.amazonaws.com/"
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


def test_the_wording_is_as_kept() -> None:
    said = [str(problem("stack anden-banco-dev-network", each)) for each in RAISED]
    for ended in ("ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"):
        said.append(str(execute.failed("stack anden-banco-dev-network", "anden-banco-dev-network", ended, CAUSE)))
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
