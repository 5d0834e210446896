"""When a link's outage begins and ends, and what the record gets of it: each once, whoever looked when."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.assess.outages import followed, lasted, news
from anden.model.link import LinkSeen, Outage, Session, TunnelSeen
from anden.model.problem import Problem

SILENT = Problem("link core, tunnel 1", "203.0.113.10 does not answer", "nothing came back", "Check its firewall.")
AT = 1_700_000_000.0
BOTH_DOWN = (TunnelSeen(1, False, AT, problem=SILENT), TunnelSeen(2, False, AT + 4))
WHY = ("tunnel 1: 203.0.113.10 does not answer: nothing came back", "tunnel 2: it has just gone")


def follow(before: Outage | None, tunnels: Sequence[TunnelSeen], at: float = AT + 500) -> Outage | None:
    return followed(before, tunnels, at)


def seen(outage: Outage | None, *tunnels: TunnelSeen) -> LinkSeen:
    return LinkSeen("core", IPv4Address("203.0.113.10"), None, tunnels, outage=outage)


def test_it_begins_when_the_last_tunnel_goes_and_ends_with_the_first_that_is_back() -> None:
    one = (TunnelSeen(1, False, AT, problem=SILENT), TunnelSeen(2, True, AT - 9))
    assert follow(None, one) is None
    began = follow(None, BOTH_DOWN)
    assert began == Outage(AT + 4, None, WHY)
    mended = follow(began, (BOTH_DOWN[0], TunnelSeen(2, True, AT + 42)))
    assert mended == Outage(AT + 4, AT + 42, WHY)
    assert follow(mended, one) == mended, "it stays the latest"
    assert follow(mended, (TunnelSeen(1, False, AT + 50), TunnelSeen(2, False, AT + 60))) == Outage(
        AT + 60, None, ("tunnel 1: it has just gone", "tunnel 2: it has just gone")
    )


def test_what_is_not_known_begins_and_ends_nothing() -> None:
    began = follow(None, BOTH_DOWN)
    unknown = (TunnelSeen(1, False), TunnelSeen(2, False, AT + 90))
    assert follow(None, unknown) is None
    assert follow(began, unknown) == began, "whoever watches has only begun to look"
    assert follow(None, ()) is None


def test_a_tunnel_that_is_up_and_leads_nowhere_is_an_outage_and_one_whose_session_is_to_come_is_none() -> None:
    """Of a BGP session no time is known: it is the look's."""
    halved = Problem("link core, tunnel 1", "half of it is announced", "10.22.0.0/16 is missing", "Announce it.")
    pending = (TunnelSeen(1, True, AT, bgp=Session()), TunnelSeen(2, False, AT + 4))
    assert follow(None, pending) is None
    nowhere = (replace(pending[0], bgp=Session("established", problem=halved)), pending[1])
    began = follow(None, nowhere, AT + 60)
    why = ("tunnel 1: half of it is announced: 10.22.0.0/16 is missing", "tunnel 2: it has just gone")
    assert began == Outage(AT + 60, None, why)
    assert follow(began, pending) == began
    carries = (replace(pending[0], bgp=Session("established", carries=True)), pending[1])
    assert follow(began, carries, AT + 90) == Outage(AT + 60, AT + 90, why)


def test_a_cause_is_the_first_that_was_known() -> None:
    lowered = tuple(replace(each, lowered=True) for each in BOTH_DOWN)
    found = follow(follow(None, BOTH_DOWN), lowered)
    assert found is not None
    assert found.since == AT + 4
    assert found.why == (WHY[0], "tunnel 2: it was lowered on purpose")


def test_the_record_has_both_ends_with_the_causes() -> None:
    began = Outage(AT, None, WHY)
    over = replace(began, until=AT + 125)
    assert news((), [seen(began, *BOTH_DOWN)]) == (
        ("link core: no tunnel carries, since 2023-11-14 22:13:20 UTC", "; ".join(WHY)),
    )
    assert news([seen(began)], [seen(over)]) == (
        ("link core: a tunnel carries again, since 2023-11-14 22:15:25 UTC", f"after 2 min 5 s: {'; '.join(WHY)}"),
    )
    assert len(news((), [seen(over)])) == 2, "it came and went while nobody looked"
    assert news([seen(over)], [seen(over)]) == ()


def test_an_engine_that_only_knows_the_one_that_lasts_is_heard_all_the_same() -> None:
    began = Outage(AT, None, WHY)
    ((what, detail),) = news([seen(began)], [seen(None, TunnelSeen(1, True, AT + 38))])
    assert what == "link core: a tunnel carries again, since 2023-11-14 22:13:58 UTC"
    assert detail.startswith("after 38 s: ")


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=30))
def test_each_end_is_told_once_however_rarely_somebody_looks(steps: list[tuple[bool, bool, bool]]) -> None:
    """A second a step: tunnel 1 up, tunnel 2 up, somebody looks. At the end somebody looks."""
    states: list[tuple[bool, float]] = [(True, AT), (True, AT)]
    outage, before, told = None, [seen(None)], []
    truth = 0
    for at, (*ups, looks) in enumerate([*steps, (True, True, True)], 1):
        dead = not any(up for up, _ in states)
        states = [was if was[0] == up else (up, AT + 100 * at) for was, up in zip(states, ups, strict=True)]
        truth += not dead and not any(ups)
        outage = follow(outage, [TunnelSeen(n, up, since) for n, (up, since) in enumerate(states, 1)])
        if looks:
            now = [seen(outage)]
            told += [what for what, _ in news(before, now)]
            before = now
    assert len(told) == len(set(told))
    begun, ended = (sum(word in what for what in told) for word in ("no tunnel carries", "again, "))
    assert begun == ended <= truth
    if all(looks for *_, looks in steps):
        assert begun == truth


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (38, "38 s"), (125, "2 min 5 s"), (11_400, "3 h 10 min")])
def test_how_long(seconds: float, words: str) -> None:
    assert lasted(Outage(AT, AT + seconds)) == words
