"""What an invitation to a link on AWS has to be, and what is said of one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.planning.devices.agreed import CERTIFIED, CORE

from anden.control.invitations_to_aws import said, unfit
from anden.model.invitation import Rehearsal

NOW = 1_795_750_000.0
GIVEN = Rehearsal("0a1b2c3d", NOW + 3600, "", {}, "")


def test_one_without_keys_is_right_and_nothing_stands_of_it() -> None:
    assert unfit(GIVEN, CORE, NOW) is None
    assert said("core", GIVEN) == (
        "link core: who holds the file and its keys may be the other side, until 2026-11-27T04:26:40Z"
    )
    assert "there is nothing to end; a file ends with its time" in said("core", None)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda one: replace(one, until=NOW + 10), "it cannot last so long"),
        (lambda one: replace(one, until=NOW + 31 * 86_400), "it cannot last so long"),
        (lambda one: replace(one, meet="192.0.2.10:4510"), "nobody is met at 192.0.2.10:4510"),
        (lambda one: replace(one, keys={"vpn-1": "k" * 43}), "keys come with it"),
        (lambda one: replace(one, wire="0f" * 32), "keys come with it"),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[Rehearsal], Rehearsal], what: str) -> None:
    problem = unfit(change(GIVEN), CORE, NOW)
    assert problem is not None
    assert problem.what == what
    assert "k" * 43 not in str(problem)
    assert "0f" * 32 not in str(problem)


def test_where_certificates_prove_the_sides_only_their_device_can_be_one() -> None:
    problem = unfit(GIVEN, CERTIFIED, NOW)
    assert problem is not None
    assert "never leaves their device" in problem.why
    assert "anden link config core --device" in problem.fix
