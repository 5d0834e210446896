"""Each device's text, as a person loads it, and what is refused rather than guessed."""

import pytest
from tests.unit.planning.devices.agreed import (
    ADDRESSES,
    ADMITTED,
    BOTH,
    CERTIFIED,
    CORE,
    OPENINGS,
    SPEAKING,
    agreed,
    golden,
)

from anden.planning.devices import DEFAULT, DEVICES, bird

TUNNELS = [name for name, device in DEVICES.items() if not device.bgp_only]
ENDS = {
    "bird": "bird.conf",
    "strongswan": "swanctl.conf",
    "cisco-ios": "ios",
    "fortinet": "fortios",
    "palo-alto": "panos",
}


@pytest.mark.parametrize("name", TUNNELS)
def test_golden(name: str) -> None:
    golden(f"core.{ENDS[name]}", DEVICES[name].render(agreed(), OPENINGS))
    golden(f"certified.{ENDS[name]}", DEVICES[name].render(agreed(CERTIFIED), OPENINGS))


@pytest.mark.parametrize("name", DEVICES)
def test_golden_by_bgp(name: str) -> None:
    assert DEVICES[name].refusal(agreed(SPEAKING)) is None
    golden(f"bgp.{ENDS[name]}", DEVICES[name].render(agreed(SPEAKING), OPENINGS))


def test_who_only_speaks_bgp_is_no_device_for_a_link_that_does_not() -> None:
    problem = bird.DEVICE.refusal(agreed())
    assert problem is not None
    assert "it speaks no BGP" in problem.what
    assert "links/core" in problem.fix
    with pytest.raises(ValueError, match="speaks no BGP"):
        bird.DEVICE.render(agreed(), OPENINGS)


def test_several_networks_are_taken_by_those_that_can() -> None:
    for name in ("strongswan", "fortinet"):
        assert DEVICES[name].refusal(agreed(BOTH)) is None
        golden(f"both.{ENDS[name]}", DEVICES[name].render(agreed(BOTH), OPENINGS))
    for name in ("cisco-ios", "palo-alto"):
        assert DEVICES[name].refusal(agreed(CORE)) is None
        problem = DEVICES[name].refusal(agreed(BOTH))
        assert problem is not None
        assert "this link has 2" in problem.what
        assert "10.20.0.0/16, 10.22.0.0/16" in problem.why
        assert "links/core/networks" in problem.fix


@pytest.mark.parametrize("name", TUNNELS)
def test_a_key_is_named_where_it_belongs_and_is_missing_there(name: str) -> None:
    text = DEVICES[name].render(agreed(), OPENINGS)
    marks = "!" if name == "cisco-ios" else "#"
    for key in CORE.secret:
        (line,) = [line for line in text.splitlines() if f"the value of {key}, handed over apart" in line]
        assert line.lstrip().startswith(marks)


@pytest.mark.parametrize("name", DEVICES)
def test_it_says_where_its_syntax_comes_from_and_whether_it_was_tried(name: str) -> None:
    text = DEVICES[name].render(agreed(SPEAKING), ())
    for source in (*DEVICES[name].sources, *DEVICES[name].bgp_sources):
        assert source in text
    assert ("no device yet" in text) == (name not in (DEFAULT, bird.DEVICE.name))
    assert "no destination is reached" in text


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("addresses", [(None, None), (ADDRESSES[0], None)])
def test_nothing_is_written_for_an_address_that_is_not_known(name: str, addresses: tuple[None, None]) -> None:
    with pytest.raises(ValueError, match="has no address yet"):
        DEVICES[name].render(agreed(SPEAKING, addresses), OPENINGS)


def test_a_fortigate_takes_names_of_15_characters() -> None:
    from dataclasses import replace

    long = replace(CORE, name="a-link-with-forty-characters-of-a-name-x")
    text = DEVICES["fortinet"].render(agreed(long), OPENINGS)
    assert 'edit "a-link-with-f-1"' in text
    assert 'edit "a-link-with-f-2"' in text


@pytest.mark.parametrize("name", DEVICES)
def test_what_we_let_in_is_let_out_there_and_said(name: str) -> None:
    link = agreed(SPEAKING if DEVICES[name].bgp_only else CORE)
    plain, text = (DEVICES[name].render(link, OPENINGS, each) for each in ((), ADMITTED))
    golden(f"in.{ENDS[name]}", text)
    assert "Nothing begins on your side." in plain
    assert "Nothing else begins on your side." in text
    lines = [line for line in plain.splitlines() if "begins on your side" not in line]
    assert [line for line in text.splitlines() if line in lines][: len(lines)] == lines, "the rest stays what it was"
