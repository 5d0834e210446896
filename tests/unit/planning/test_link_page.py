"""The page of a link: the same for the same, signed so that a change shows, believing nobody's words but numbers."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.planning.devices.agreed import CERTIFIED, OPENINGS, SPEAKING, agreed

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problem
from anden.model.sight import Asked, Sight, TunnelSight
from anden.planning.link_page import Page, fault, signature, signed, signed_by, text, unsigned
from anden.planning.sights import MOST_TOLD, believed, told

GOLDEN = Path(__file__).parent / "golden" / "link-page.md"
AT = 1_795_750_000.0
OURS = Sight(AT, AT - 300, True, (TunnelSight(1, True, AT - 240), TunnelSight(2, False, AT - 60)))
THEIRS = Sight(
    AT - 2, AT - 260, True, (TunnelSight(1, True, AT - 240), TunnelSight(2, False)),
    (
        Asked("100.64.10.21", "10.20.4.17:8443", 1, AT - 100, AT - 100),
        Asked("100.64.10.5", "10.20.4.17:8443", 1_200, AT - 200, AT - 3),
    ),
)  # fmt: skip
PAGE = Page(
    EnvironmentKey("banco-andino", "certification", EngineName.LOCAL), agreed(), OPENINGS, AT, OURS, THEIRS
)  # fmt: skip
ID, WIRE = "0a1b2c3d", "0f" * 32


def whole() -> str:
    written = text(PAGE)
    return signed(written, ID, signature(written, WIRE))


def test_golden() -> None:
    if os.environ.get("ANDEN_GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(whole())
    assert whole() == GOLDEN.read_text()


def test_what_is_spoken_stands_in_it() -> None:
    added = set(text(replace(PAGE, agreement=agreed(SPEAKING))).splitlines()) - set(text(PAGE).splitlines())
    assert [line for line in sorted(added) if "BGP" in line or "announced" in line] == [
        "| BGP | the environment is AS 64512, the client AS 65010; neighbours are the insides |",
        "| BGP's timers | 10 s between two signs of life, given up after 30 s |",
        "| announced | by the environment exactly 100.64.10.0/26, by the client exactly 10.20.0.0/16, 10.22.0.0/16 |",
    ]


def test_no_key_is_in_it() -> None:
    assert WIRE not in whole()
    assert "vpn-1" in whole(), "by name"


def test_certificates_stand_in_the_place_of_keys() -> None:
    written = text(replace(PAGE, agreement=agreed(CERTIFIED)))
    assert "IKEv2, certificates of one authority for both sides, each for its own address; ESP" in written
    assert "| 1 | 198.51.100.100 | 169.254.6.1, 169.254.6.2 of 169.254.6.0/30 | - |" in written
    assert "pre-shared" not in written


def test_what_is_as_it_was_written_is_right() -> None:
    assert fault(whole(), "page", ID, WIRE) is None


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (whole().replace("100.64.10.5", "100.64.10.6"), "it was changed since it was signed"),
        (whole() + "\nand more\n", "it is not signed"),
        ("more\n" + whole(), "it was changed since it was signed"),
        (whole().replace("nor that what it says is true", "and that it is true"), "it was changed since it was signed"),
        (whole().replace(f" {ID} ", " ffff "), "it is signed by the invitation ffff"),
        (unsigned(text(PAGE)), "it is not signed"),
        ("", "it is not signed"),
    ],
)
def test_what_was_changed_is_said(content: str, what: str) -> None:
    problem = fault(content, "page", ID, WIRE)
    assert problem is not None
    assert problem.what == what


def test_another_key_signs_otherwise() -> None:
    problem = fault(whole(), "page", ID, "1f" * 32)
    assert problem is not None
    assert "changed" in problem.what


def test_before_anybody_looked_it_says_so() -> None:
    assert text(replace(PAGE, ours=None, theirs=None)).count("Nothing was seen from there.") == 2


def test_what_the_other_side_tells_comes_back_as_it_was_as_far_as_it_is_told() -> None:
    assert believed(told(THEIRS).decode(), agreed()) == THEIRS
    many = replace(THEIRS, asked=THEIRS.asked * MOST_TOLD)
    kept = believed(told(many).decode(), agreed())
    assert kept is not None
    assert len(kept.asked) == MOST_TOLD


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["asked"][0].update(source="<script>"),
        lambda said: said["asked"][0].update(to="10.20.4.17:8443 | x"),
        lambda said: said["asked"][0].update(to="10.20.4.17"),
        lambda said: said["asked"][0].update(first=1e20),
        lambda said: said.update(at=-1.0),
        lambda said: said["tunnels"][0].update(number=7),
        lambda said: said["tunnels"].extend(said["tunnels"]),
        lambda said: said.update(asked=said["asked"] * MOST_TOLD),
        lambda said: said.pop("tunnels"),
    ],
)
def test_nothing_else_is_believed(change: Callable[[Any], object]) -> None:
    said = json.loads(told(THEIRS))
    change(said)
    assert believed(json.dumps(said), agreed()) is None
    assert believed("", agreed()) is None


# On AWS.

ON_AWS = replace(
    PAGE, key=replace(PAGE.key, engine=EngineName.AWS), theirs=None,
    our_problems=(Problem("link core, tunnel 2", "it is down", "AWS says: IPSEC IS DOWN | <b>", "Check `it`."),),
)  # fmt: skip


def test_on_aws_each_side_says_only_what_it_saw_itself() -> None:
    ours = text(ON_AWS)
    file = GOLDEN.with_name("link-page-on-aws.md")
    if os.environ.get("ANDEN_GOLDEN") == "write":
        file.write_text(unsigned(ours, EngineName.AWS))
    assert unsigned(ours, EngineName.AWS) == file.read_text()
    theirs = text(replace(ON_AWS, ours=None, theirs=THEIRS, our_problems=(), their_problems=ON_AWS.our_problems))
    seen, _, client = theirs.partition("### From the client's side")
    assert "It is not on this page: nothing carries it here." in seen
    assert "| 100.64.10.5 | 10.20.4.17:8443 |" in client
    assert "AWS says: IPSEC IS DOWN" in client


def test_a_page_that_is_signed_later_is_as_one_that_was_signed_at_once() -> None:
    written = text(ON_AWS)
    later = signed_by(unsigned(written, EngineName.AWS), ID, WIRE)
    assert later == signed(written, ID, signature(written, WIRE))
    assert fault(later, "page", ID, WIRE) is None
