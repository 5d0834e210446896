"""An invitation to a link on AWS: no key of a tunnel is in its file, and a wrong one says all that is wrong with it."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.planning.devices.agreed import ADMITTED, CERTIFIED, OPENINGS, SPEAKING, agreed

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import Invitation, Rehearsal
from anden.model.problem import Problem, Problems
from anden.planning import invitations
from anden.planning.invitations_to_aws import keys, meant, read, text

MADE = 1_795_750_000.0
UNTIL = MADE + 3600
INVITATION = Invitation(
    EnvironmentKey("banco-andino", "certification", EngineName.AWS), MADE, agreed(), OPENINGS,
    Rehearsal("0a1b2c3d", UNTIL, "", {}, "0f" * 32), ADMITTED,
)  # fmt: skip
GOLDEN = Path(__file__).parent / "golden" / "invitation-to-aws.json"


def found(content: str, now: float = MADE) -> Invitation:
    said = invitations.parsed(content, "core.invitation")
    assert meant(said)
    return read(said, "core.invitation", now)


def wrong(change: Callable[[Any], object], now: float = MADE) -> tuple[Problem, ...]:
    said = json.loads(text(INVITATION))
    change(said)
    with pytest.raises(Problems) as problems:
        found(json.dumps(said), now)
    assert all(each.what and each.why and each.fix for each in problems.value.problems)
    return problems.value.problems


def where(problems: tuple[Problem, ...]) -> list[str]:
    return [each.where.removeprefix("core.invitation, ") for each in problems]


def test_golden() -> None:
    if os.environ.get("ANDEN_GOLDEN") == "write":
        GOLDEN.write_text(text(INVITATION))
    assert text(INVITATION) == GOLDEN.read_text()


def test_it_comes_back_as_it_was() -> None:
    assert found(text(INVITATION)) == INVITATION
    speaking = replace(INVITATION, agreement=agreed(SPEAKING))
    assert found(text(speaking)) == speaking


def test_keys_that_were_asked_for_are_never_written() -> None:
    asked = replace(INVITATION, rehearsal=replace(INVITATION.rehearsal, keys={"vpn-1": "a" * 43, "vpn-2": "b" * 43}))
    assert text(asked) == text(INVITATION)
    assert "a" * 43 not in f"{asked}"
    assert keys(INVITATION.agreement) == ("vpn-1", "vpn-2")


def test_the_twins_reader_does_not_take_it() -> None:
    with pytest.raises(Problems) as problems:
        invitations.read(text(INVITATION), "core.invitation", MADE)
    assert where(problems.value.problems) == ["meet", "keys", "keys", "wire"]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    def spoil(said: Any) -> None:
        del said["client"], said["page-key"], said["admitted"]
        said["made"], said["keys"], said["openings"][0]["port"] = "yesterday", {"vpn-1": "a" * 43}, 0

    problems = wrong(spoil, UNTIL)
    assert where(problems) == ["client", "made", "agreement", "openings", "admitted", "page-key", "keys"]
    assert "a" * 43 not in str(problems)


def test_one_that_ended_says_when_and_claims_nothing_of_the_keys() -> None:
    [problem] = wrong(lambda _: None, UNTIL)
    assert (problem.what, problem.why) == ("it ended at 2026-11-27T04:26:40Z", "it was made to be used until then")


def test_a_link_that_certificates_prove_is_refused_with_what_to_do() -> None:
    certified = replace(INVITATION, agreement=agreed(CERTIFIED))
    with pytest.raises(Problems) as problems:
        found(text(certified))
    assert "anden link config" in str(problems.value)
    assert "private key never leaves it" in str(problems.value)


@pytest.mark.parametrize(
    ("change", "at"),
    [
        (lambda said: said["agreement"].update(link="core {\n updown = /bin/sh"), ["agreement", "link"]),
        (lambda said: said["agreement"]["tunnels"][0].update(key="vpn-1\n    secret = x"), ["agreement"]),
        (lambda said: said["agreement"]["tunnels"][0].update(our_identity="198.51.100.100\n}"), ["agreement"]),
        (lambda said: said["agreement"]["tunnels"][0]["ours"].update(address=None), ["agreement"]),
        (lambda said: said["agreement"].update(tunnels=3), ["agreement"]),
        (lambda said: said.update(agreement=[]), ["agreement"]),
        (lambda said: said.update({"page-key": "no"}), ["page-key"]),
        (lambda said: said.update({"page-key": 7}), ["page-key"]),
        (lambda said: said.update(meet="192.0.2.10:4510"), ["meet"]),
        (lambda said: said.update(wire="0f" * 32), ["wire"]),
        (lambda said: said.update(openings=5), ["openings"]),
        (lambda said: said.pop("openings"), ["openings"]),
        (lambda said: said.update(expires="2027-11-27T03:26:40Z"), ["expires"]),
    ],
)
def test_nothing_of_it_can_say_more_than_it_should(change: Callable[[Any], object], at: list[str]) -> None:
    assert where(wrong(change)) == at
