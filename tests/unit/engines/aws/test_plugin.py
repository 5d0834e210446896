"""What of AWS's plugin can be told without it: its version and its arguments."""

import json

import pytest

from anden.engines.aws.plugin import RESPONSE, Opened, arguments, new_enough

TOKEN = "AAEAAV-the-token"
OPENED = Opened(
    {"sessionId": "ecs-execute-command-1", "streamUrl": "wss://x", "tokenValue": TOKEN}, "us-east-1",
    "ecs:shop-dev_1_2", "https://ssm.us-east-1.amazonaws.com",
)  # fmt: skip


@pytest.mark.parametrize(
    ("version", "new"),
    [("1.2.498.0", True), ("1.2.497.0", False), ("1.2.497", False), ("1.2.497.1", True), ("2", True),
     ("1.10.0.0", True), ("1.2.54.0", False), ("", False), ("1.2.x", False), ("1.2.650.0\nnoise", False)],
)  # fmt: skip
def test_versions_after_the_last_without_it_take_the_session_in_the_environment(version: str, new: bool) -> None:
    assert new_enough(version) is new


def test_the_token_is_in_no_argument() -> None:
    path, word, region, operation, profile, request, endpoint = arguments("/usr/bin/plugin", OPENED)
    assert (path, word, region, operation, profile) == ("/usr/bin/plugin", RESPONSE, "us-east-1", "StartSession", "")
    assert json.loads(request) == {"Target": "ecs:shop-dev_1_2"}
    assert endpoint == "https://ssm.us-east-1.amazonaws.com"
    assert TOKEN not in " ".join(arguments("/usr/bin/plugin", OPENED))
