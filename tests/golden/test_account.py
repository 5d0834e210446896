"""The stacks of a client's account and of the organization above it, as files.

    tests/golden/account/STACK.json   one for each stack of the example's client

`ANDEN_GOLDEN=write` writes them anew; review the difference like code.
"""

import os
from pathlib import Path

import pytest
from tests.static_gate import gate

from anden.engines.aws.render.account import Settings, account_of
from anden.engines.aws.render.accounts import account
from anden.engines.aws.render.organization import organization
from anden.engines.aws.render.template import Stack
from anden.model.topology import Topology

HERE = Path(__file__).parent / "account"
PRODUCTION = Topology(
    "banco-andino", "production", (), production=True, region="us-east-1", recovery="us-west-2", account="111122223333"
)  # fmt: skip
CERTIFICATION = Topology("banco-andino", "certification", (), region="us-east-1", account="111122223333")
NEW = Topology("nuevo", "production", (), production=True, region="sa-east-1")
SETTINGS = Settings(repository="banco/platform", budget_usd=4000, email="ops@banco.example")
STACKS = {
    stack.name: stack
    for stack in (
        *account(PRODUCTION, [CERTIFICATION], SETTINGS),
        *organization(account_of(PRODUCTION, [CERTIFICATION])),
        *account(NEW),
        *organization(account_of(NEW))[-1:],
    )
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_stack(stack: Stack) -> None:
    file = HERE / f"{stack.name}.json"
    if os.environ.get("ANDEN_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(stack.text)
    assert file.read_text() == stack.text, "it differs: ANDEN_GOLDEN=write, and review the difference"


def test_no_file_is_of_a_stack_that_is_gone() -> None:
    assert {file.stem for file in HERE.iterdir()} == set(STACKS)


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_both_validators_pass_it_without_exception(stack: Stack) -> None:
    assert gate(stack.text, stack.region, suppressions=()).findings == ()
