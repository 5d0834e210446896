"""The ledger of refused attempts, by what nftables 1.0.6 prints."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.engines.local.render.sample import BANK, LET_IN

from anden.engines.local.cell.refused import Ledger, Seen, merged, read
from anden.engines.local.render.nftables import FIRST, FIRST_DIALLED, LAST_DIALLED, MOST_NOTED, NOTED_S
from anden.model.refused import Attempt

FIRST_SAID = (
    '{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"set": {"family": "inet", "name":'
    ' "refused", "table": "anden", "timeout": 86400, "elem": [{"elem": {"val": {"concat": ["172.30.128.4",'
    ' "172.30.160.4", "tcp", 9000]}, "expires": 86300, "counter": {"packets": 3, "bytes": 180}}}], "stmt":'
    ' [{"counter": null}]}}]}'
)
LAST_SAID = FIRST_SAID.replace("86300", "86390").replace(', "counter": {"packets": 3, "bytes": 180}', "")
KEY = ("172.30.128.4", "172.30.160.4", "tcp", 9000)
seens = st.builds(Seen, st.integers(1, 100), st.floats(0, 100_000), st.floats(0, 100_000))


def test_what_is_left_of_the_time_says_when() -> None:
    assert read(FIRST_SAID, LAST_SAID, 1000.0) == {KEY: Seen(3, 900.0, 990.0)}
    assert read('{"nftables": []}', '{"nftables": []}', 1.0) == {}


def test_it_is_kept_over_a_change_of_the_ruleset(tmp_path: Path) -> None:
    said = {FIRST: FIRST_SAID}
    ledger = Ledger(tmp_path / "refused.json", lambda text: said.get(text.rsplit(" ", 1)[1], LAST_SAID))
    ledger.fold(1000.0)
    assert ledger.all(1010.0)[KEY].count == 6, "the new sets have three more"
    ledger.fold(1000.0, [KEY])
    assert ledger.all(1010.0)[KEY].count == 6, "a probe of ours is no news"
    said[FIRST] = '{"nftables": []}'
    assert ledger.all(1010.0) == {KEY: Seen(3, 900.0, 990.0)}
    assert ledger.all(1000.0 + NOTED_S) == {}
    (tmp_path / "refused.json").write_text(json.dumps([["half"]]))
    assert ledger.all(1010.0) == {}


def test_what_began_behind_a_link_is_told_by_the_link_and_who_it_was(tmp_path: Path) -> None:
    said = {
        FIRST_DIALLED: FIRST_SAID.replace("172.30.128.4", "10.20.5.17").replace("172.30.160.4", "100.64.10.6"),
        LAST_DIALLED: LAST_SAID.replace("172.30.128.4", "10.20.5.17").replace("172.30.160.4", "100.64.10.6"),
    }
    sets = (FIRST_DIALLED, LAST_DIALLED)
    ledger = Ledger(tmp_path / "dialled.json", lambda text: said[text.rsplit(" ", 1)[1]], sets)
    assert ledger.dialled(LET_IN, 1000.0) == [
        Attempt("link:core", "100.64.10.6", 9000, "tcp", 3, 900.0, 990.0, "from 10.20.5.17")
    ]
    assert ledger.dialled(BANK, 1000.0) == [], "nobody is behind a link that is not there"


def test_questions_of_ours_do_not_count(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "refused.json", lambda _: "{}")
    noted = [{"service": "web", "name": "a.example", "why": "not declared", "count": 3, "first": 1.0, "last": 2.0}]
    ledger.forgive([("web", "a.example"), ("web", "b.example")])
    assert [one.count for one in ledger.asked(noted)] == [2]
    ledger.forgive([("web", "a.example")] * 2)
    assert ledger.asked(noted) == []


@given(st.dictionaries(st.tuples(*[st.sampled_from("ab")] * 3, st.integers(1, 3)), seens), seens)
def test_joining_counts_all_and_forgets_the_old(some: dict[tuple[str, str, str, int], Seen], more: Seen) -> None:
    now = 100_000.0
    found = merged(some, {("a", "a", "a", 1): more}, now)
    assert all(now - each.last <= NOTED_S for each in found.values())
    both = some.get(("a", "a", "a", 1))
    if both is not None and now - max(both.last, more.last) <= NOTED_S:
        assert found["a", "a", "a", 1].count == both.count + more.count
    many = {("a", "b", "tcp", port): Seen(1, float(port), float(port) + NOTED_S) for port in range(1, MOST_NOTED + 9)}
    assert len(merged(many, {}, 10.0)) == MOST_NOTED
