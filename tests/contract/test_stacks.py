"""What control counts on from an engine of stacks. The engine in memory, over which control is tested, and the aws
engine are held to the same, or what was proved on the one would say nothing of the other."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.accounts import BLUEPRINT, LEFT_OUT, NOT_APPLICABLE, REGION, Account, ending
from tests.emulator import emulator
from tests.emulator.emulator import Emulator
from tests.unit.control.stack_world import StackWorld, Trouble

from anden.engines.aws.engine import AwsEngine
from anden.engines.simulated.clock import VirtualClock
from anden.model.stack import StackState

POLL_S = 0.05
ASKED = ("test_stacks", "test_control", "test_secrets")
"""Modules of the contract that the aws engine is asked."""


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator | None]:
    if emulator.python() is None:
        yield None
        return
    with emulator.running() as it:
        yield it


@pytest.fixture(params=["memory", "aws"])
def account(request: pytest.FixtureRequest, emulated: Emulator | None, monkeypatch: pytest.MonkeyPatch) -> Account:
    if request.param == "memory":
        world = StackWorld(VirtualClock(1_700_000_000.0))

        def spoil(family: str) -> None:
            world.troubles[family] = Trouble("Topic: Encountered unsupported property Nope")

        return Account(world, spoil)
    if emulated is None:
        pytest.skip("the contract of the aws engine was NOT tested: the emulator is not installed (./test does that)")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in emulated.variables().items():
        monkeypatch.setenv(name, value)
    broken = {"Type": "AWS::SNS::Topic", "Properties": {"Nope": 1}}
    return Account(AwsEngine(VirtualClock(1_700_000_000.0), POLL_S), lambda _: None, broken)


def test_an_environment_that_does_not_exist_is_not_present_and_says_why(account: Account) -> None:
    seen = account.seen()
    assert not seen.present
    assert seen.absent_reason
    assert seen.stacks == ()


def test_what_is_applied_is_seen_as_it_was_wanted(account: Account) -> None:
    wanted = account.stack("network", "1", "elsewhere") if account.broken else account.stack("network")
    assert [each.problem for each in account.apply(wanted)] == [None]
    one = account.one("network")
    assert (one.name, one.family, one.region) == (wanted.name, "network", REGION)
    assert (one.state, one.template, one.blueprint) == (StackState.SETTLED, wanted.digest, BLUEPRINT)
    assert one.after == wanted.after
    assert one.why == ""
    assert account.seen().present


def test_stacks_of_one_plan_are_all_made(account: Account) -> None:
    wanted = [account.stack(family) for family in ("network", "data", "edge")]
    assert [each.problem for each in account.apply(*wanted)] == [None] * 3
    assert {each.family: each.template for each in account.seen().stacks} == {
        each.family: each.digest for each in wanted
    }


def test_another_template_is_seen_and_the_version_has_grown(account: Account) -> None:
    account.apply(account.stack("network"))
    before = account.seen()
    assert account.seen().version == before.version
    again = account.stack("network", "2")
    account.apply(again)
    assert account.one("network").template == again.digest
    assert account.seen().version > before.version


def test_doing_it_twice_is_doing_it_once(account: Account) -> None:
    wanted = account.stack("network")
    account.apply(wanted)
    assert account.apply(wanted)[0].problem is None
    assert account.one("network").state is StackState.SETTLED
    assert account.do(ending(wanted))[0].problem is None
    assert account.do(ending(wanted))[0].problem is None
    assert not account.seen().present


def test_what_could_not_be_made_stands_at_nothing_says_why_and_can_be_tried_again(account: Account) -> None:
    problem = account.apply(account.failing("network"))[0].problem
    assert problem is not None
    assert problem.where
    assert problem.what
    assert problem.why
    assert problem.fix
    one = account.one("network")
    assert (one.state, one.template) == (StackState.FAILED, None)
    assert one.why.startswith("Topic: ")
    good = account.stack("network", "2")
    assert account.apply(good)[0].problem is None
    assert (account.one("network").state, account.one("network").template) == (StackState.SETTLED, good.digest)


def test_what_could_not_be_changed_stands_as_before_and_can_be_tried_again(account: Account) -> None:
    first = account.stack("network")
    account.apply(first)
    assert account.apply(account.failing("network", "2"))[0].problem is not None
    one = account.one("network")
    assert (one.state, one.template) == (StackState.FAILED, first.digest)
    assert one.why.startswith("Topic: ")
    good = account.stack("network", "3")
    assert account.apply(good)[0].problem is None
    assert account.one("network").template == good.digest


def test_one_that_fails_takes_nobody_along(account: Account) -> None:
    problems = [each.problem for each in account.apply(account.failing("data"), account.stack("network"))]
    assert problems[0] is not None
    assert problems[1] is None
    assert account.one("network").state is StackState.SETTLED


def test_what_must_outlive_a_mistake_ends_when_it_is_told_to(account: Account) -> None:
    wanted = account.stack("data", lasting=True)
    account.apply(wanted)
    assert account.do(ending(wanted))[0].problem is None
    assert not account.seen().present


def test_an_environment_whose_name_begins_like_anothers_is_its_own(account: Account) -> None:
    longer = replace(account, environment=f"{account.environment}-eu")
    account.apply(account.stack("network"))
    longer.apply(longer.stack("data"))
    assert [each.family for each in account.seen().stacks] == ["network"]
    assert [each.family for each in longer.seen().stacks] == ["data"]
    account.do(ending(account.stack("network")))
    assert longer.seen().present


def test_every_module_of_the_contract_is_asked_of_an_engine_of_stacks_or_named_with_the_reason() -> None:
    """A case that is left out and nobody sees it is a defect: one that is added has to be thought of here."""
    here = Path(__file__).parent
    modules = {path.stem: path for path in here.glob("test_*.py") if path.stem not in ASKED}
    assert modules.keys() == LEFT_OUT.keys() == NOT_APPLICABLE.keys()
    counted = {
        name: sum(
            isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
            for each in ast.parse(path.read_text()).body
        )
        for name, path in modules.items()
    }
    assert counted == LEFT_OUT
