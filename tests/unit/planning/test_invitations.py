"""An invitation comes back from its text as it was, and a wrong one says all that is wrong with it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.planning.devices.agreed import OPENINGS, SPEAKING, agreed

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import Invitation, Rehearsal
from anden.model.problem import Problem, Problems
from anden.planning.invitations import read, text, when

MADE = 1_795_750_000.0
UNTIL = MADE + 3600
KEYS = {"vpn-1": "a" * 43, "vpn-2": "b" * 43}
INVITATION = Invitation(
    EnvironmentKey("banco-andino", "certification", EngineName.LOCAL), MADE, agreed(), OPENINGS,
    Rehearsal("0a1b2c3d", UNTIL, "192.0.2.10:4510", KEYS, "0f" * 32),
)  # fmt: skip
BY_BGP = replace(INVITATION, agreement=agreed(SPEAKING))


def wrong(content: str, now: float = MADE) -> tuple[Problem, ...]:
    with pytest.raises(Problems) as found:
        read(content, "core.invitation", now)
    return found.value.problems


def changed(change: Callable[[Any], object]) -> str:
    said = json.loads(text(INVITATION))
    change(said)
    return json.dumps(said)


def test_it_comes_back_as_it_was() -> None:
    assert read(text(INVITATION), "core.invitation", MADE) == INVITATION
    assert when(MADE) == "2026-11-27T03:26:40Z"


def test_its_keys_do_not_show_by_accident() -> None:
    shown = f"{INVITATION} {INVITATION.rehearsal!r}"
    assert KEYS["vpn-1"] not in shown
    assert INVITATION.rehearsal.wire not in shown


@pytest.mark.parametrize("content", ["", "{", "[]", '"anden"', '{"links": 1}', "\x00"])
def test_another_file_is_none(content: str) -> None:
    [problem] = wrong(content)
    assert problem.what == "not an invitation"
    assert "anden link invite" in problem.fix


def test_another_version_is_said() -> None:
    [problem] = wrong(changed(lambda said: said.update({"anden-invitation": 2})))
    assert problem.what == "version 2 of the file"


def test_one_that_ended_says_when() -> None:
    [problem] = wrong(text(INVITATION), UNTIL)
    assert problem.what == "it ended at 2026-11-27T04:26:40Z"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    def spoil(said: Any) -> None:
        del said["client"], said["keys"]["vpn-2"], said["wire"]
        said["meet"], said["made"] = "nowhere", "yesterday"
        said["openings"][0]["port"] = 0

    found = wrong(changed(spoil), UNTIL)
    assert [each.where.removeprefix("core.invitation, ") for each in found] == [
        "client", "made", "meet", "agreement", "openings", "keys", "wire",
    ]  # fmt: skip
    assert all(each.what and each.why and each.fix for each in found)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["agreement"].update(link="core {\n updown = /bin/sh"),
        lambda said: said.update(client="banco\n[x](y)"),
        lambda said: said["agreement"]["tunnels"][0].update(key="vpn-1\n    secret = x"),
        lambda said: said["agreement"]["tunnels"][0].update(peer_identity="203.0.113.10\n}"),
        lambda said: said["agreement"]["tunnels"][0].update(our_identity="198.51.100.100\n}"),
        lambda said: said["agreement"]["tunnels"].append(said["agreement"]["tunnels"][0]),
        lambda said: said["agreement"].update(tunnels=[]),
        lambda said: said["agreement"].update(peer="a"),
        lambda said: said["agreement"].update(remote=[]),
        lambda said: said["keys"].update({"vpn-1": 'x"\n}'}),
        lambda said: said["openings"][0].update(destination="x\ny"),
    ],
)
def test_nothing_of_it_can_say_more_than_it_should(change: Callable[[Any], object]) -> None:
    """It is written into strongSwan's file, by root."""
    assert wrong(changed(change))


def test_one_of_a_link_that_speaks_bgp_comes_back_as_it_was() -> None:
    assert read(text(BY_BGP), "core.invitation", MADE) == BY_BGP


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["bgp"].update(theirs=0),
        lambda said: said["bgp"].update(theirs=2**32),
        lambda said: said["bgp"].update(theirs=said["bgp"]["ours"]),
        lambda said: said["bgp"].update(theirs="65010; }"),
        lambda said: said["bgp"].update(keepalive_s=30),
        lambda said: said["bgp"].update(hold_s=70_000),
        lambda said: said["bgp"].update(hold_s=0, keepalive_s=-1),
        lambda said: said["tunnels"][0]["ours"].update(inside=None),
        lambda said: said["tunnels"][0]["ours"].update(inside="10.0.0.1/30"),
    ],
)
def test_nothing_of_it_can_have_bird_say_more_than_it_should(change: Callable[[Any], object]) -> None:
    said = json.loads(text(BY_BGP))
    change(said["agreement"])
    assert [each.where for each in wrong(json.dumps(said))] == ["core.invitation, agreement"]


def test_no_one_lasts_longer_than_a_month() -> None:
    long = replace(INVITATION, rehearsal=replace(INVITATION.rehearsal, until=MADE + 31 * 86_400))
    [problem] = wrong(text(long))
    assert problem.what == "it lasts too long"
