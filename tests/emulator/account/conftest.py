"""The account's stacks in an emulator that enforces IAM, once for all of these tests."""

from collections.abc import Iterator

import pytest
from tests.emulator import emulator
from tests.emulator.account.enforcing import Ground, enforcing, stacks


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    if emulator.python() is None:
        pytest.skip("the emulator is not installed: ./test does that, or name its Python in ANDEN_EMULATOR")
    with enforcing() as it:
        for stack in stacks():
            it.deploy(stack)
        for name, role in (("ana", "sre"), ("luis", "developer"), ("maria", "auditor"), ("root-like", None)):
            it.person(name, role)
        yield it
