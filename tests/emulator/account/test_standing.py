"""What an adopted account has already is found, and what our stacks made is not taken for it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.emulator import emulator
from tests.emulator.account.enforcing import CERTIFICATION, CLIENT, PRODUCTION, SETTINGS, Ground, enforcing, stacks

from anden.engines.aws.render.account import Present
from anden.engines.aws.render.accounts import account
from anden.engines.aws.standing import LOOKS, present
from anden.model.problem import Problems

GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture
def empty() -> Iterator[Ground]:
    if emulator.python() is None:
        pytest.skip("the emulator is not installed: ./test does that, or name its Python in ANDEN_EMULATOR")
    with enforcing() as it:
        yield it


def asked(ground: Ground, who: str = "root") -> Callable[[str], Any]:
    """Clients of it. What the emulator does not have answers as in an account that has nothing there: GuardDuty, and
    the scanning rules of ECR's registry."""

    def client(service: str) -> Any:
        return _Bare() if service in ("guardduty", "ecr") else ground.client(service, who)

    return client


class _Bare:
    def list_detectors(self) -> dict[str, list[str]]:
        return {"DetectorIds": []}

    def get_registry_scanning_configuration(self) -> dict[str, Any]:
        return {"registryId": "111122223333", "scanningConfiguration": {"scanType": "BASIC", "rules": []}}


def test_a_fresh_account_has_nothing(empty: Ground) -> None:
    assert present(asked(empty), CLIENT) == frozenset()


def test_what_somebody_made_is_left_out_and_the_stacks_deploy_beside_it(empty: Ground) -> None:
    empty.client("iam").create_open_id_connect_provider(Url=GITHUB, ClientIDList=["sts.amazonaws.com"])
    s3 = empty.client("s3")
    s3.create_bucket(Bucket="records")
    empty.client("cloudtrail").create_trail(Name="theirs", S3BucketName="records")
    empty.client("config").put_configuration_recorder(
        ConfigurationRecorder={"name": "theirs", "roleARN": "arn:aws:iam::111122223333:role/theirs"}
    )
    found = present(asked(empty), CLIENT)
    assert found == {Present.GITHUB, Present.TRAIL, Present.CONFIG}
    for stack in account(PRODUCTION, [CERTIFICATION], SETTINGS, found):
        empty.deploy(stack)
    assert present(asked(empty), CLIENT) == found
    empty.deploys("repo:banco/platform:environment:production")


def test_what_our_own_stacks_made_is_not_left_out_the_next_time(empty: Ground) -> None:
    for stack in stacks():
        empty.deploy(stack)
    empty.client("iam").create_open_id_connect_provider(Url=GITHUB, ClientIDList=["sts.amazonaws.com"])
    assert LOOKS[Present.GITHUB](asked(empty))
    assert present(asked(empty), CLIENT) == frozenset()


def test_who_may_not_look_is_told_so_instead_of_guessing(empty: Ground) -> None:
    empty.person("nobody", None)
    with pytest.raises(Problems) as found:
        present(asked(empty, "nobody"), CLIENT)
    said = [problem.what for problem in found.value.problems]
    assert said[0] == f"cannot tell the stack anden-{CLIENT}-account"
    assert "cannot tell whether the account has a trail" in said
    assert all(problem.fix for problem in found.value.problems)
