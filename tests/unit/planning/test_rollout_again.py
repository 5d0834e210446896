"""A rollout that is asked again and again says what one that is made anew says, whatever has changed meanwhile."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.planning.test_steps import ALL_OF_ONE, ONE, TWO
from tests.unit.planning.world import KEY, observed, running, stranger

from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.planning.configuration import configure
from anden.planning.steps import Rollout

PLACE = str(ONE.placement("accounts").slots[0].address)
SEEN = st.sampled_from(
    [
        *ALL_OF_ONE,
        running(TWO, "accounts", 1),
        running(TWO, "accounts", 3),
        running(ONE, "ledger", 1, health=Health.UNHEALTHY),
        running(ONE, "accounts", 2, state=InstanceState.DRAINING),
        stranger("audit", 1, PLACE),
        stranger("audit", 1, "10.99.0.9"),
        stranger("ledger", 1, PLACE),
    ]
)
OBSERVATIONS = st.lists(st.lists(SEEN, max_size=6), min_size=2, max_size=5)


@given(OBSERVATIONS)
@settings(max_examples=300, deadline=None)
def test_asked_again_it_says_the_same_as_anew(turns: list[list[InstanceSeen]]) -> None:
    again = Rollout(KEY, TWO, {}, {}, ONE, ())
    for turn in turns:
        seen: Observation = observed(turn, configure(TWO, ONE, ()))
        assert again.plan(seen) == Rollout(KEY, TWO, {}, {}, ONE, ()).plan(seen)


def test_who_comes_to_stand_in_a_slot_is_seen_at_once() -> None:
    """Nothing of the service itself has changed, and its empty slot is not empty any more."""
    rollout = Rollout(KEY, ONE, {}, {}, None, ())
    ledger = running(ONE, "ledger", 1)
    before = rollout.plan(observed([ledger], configure(ONE, None, ())))
    after = rollout.plan(observed([ledger, stranger("audit", 1, PLACE)], configure(ONE, None, ())))
    assert "accounts-1" in [step.address for step in before.steps]
    assert "accounts-1" not in [step.address for step in after.steps]
