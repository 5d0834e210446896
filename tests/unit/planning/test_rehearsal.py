"""A rollout on paper: all of it, in order, and it ends whatever it starts from."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning.test_steps import ALL_OF_ONE, NARROW, ONE, TWO, drawn, generations, levels, pairs, seen
from tests.unit.planning.topologies import service, topology
from tests.unit.planning.world import KEY, NOTHING, observed

from anden.model.blueprint import Blueprint
from anden.model.plan import Step
from anden.model.topology import Range
from anden.planning.configuration import configure
from anden.planning.rehearsal import applied, healed, rehearse
from anden.planning.steps import plan


def lines(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.action} {step.address}: {step.reason}" for step in steps]


def test_a_new_environment() -> None:
    assert lines(rehearse(KEY, ONE, {}, {}, None, (), NOTHING)) == [
        "+ network: certification does not run",
        "+ accounts-1: level 1 of 2..4",
        "+ accounts-2: level 2 of 2..4",
        "+ ledger-1: level 1 of 1..2",
    ]


def test_a_new_version() -> None:
    assert lines(rehearse(KEY, TWO, {}, {}, ONE, (), observed(ALL_OF_ONE, NARROW))) == [
        "+ accounts-3: surge for accounts 1.0.1",
        "- accounts-1: runs 1.0.0",
        "+ accounts-1: accounts 1.0.1 after 1.0.0",
        "- accounts-2: runs 1.0.0",
        "+ accounts-2: level 2 of 2..4",
        "- accounts-3: level 2 of 2..4",
    ]


def test_nothing_to_do() -> None:
    assert rehearse(KEY, ONE, {}, {}, None, (), observed(ALL_OF_ONE, NARROW)) == ()


def test_a_large_one_takes_several_ticks_and_is_whole() -> None:
    large = drawn(topology(*(service(f"s{n}", instances=Range(4, 4)) for n in range(60))))
    assert len(rehearse(KEY, large, {}, {}, None, (), NOTHING)) == 241


@settings(max_examples=60, deadline=None)
@given(data=st.data(), pair=pairs(), wanted=levels, again=generations, keep=st.booleans())
def test_it_ends_where_nothing_is_left_to_do(
    data: st.DataObject, pair: tuple[Blueprint, Blueprint], wanted: dict[str, int], again: dict[str, int], keep: bool
) -> None:
    first, second = pair
    start = data.draw(seen(first, second))
    steps = rehearse(KEY, second, wanted, again, first if keep else None, (), start)
    end = healed(applied(start, steps))
    assert plan(KEY, second, wanted, again, None, (), end).settled
    assert end.configuration == configure(second, None, ()).digest
