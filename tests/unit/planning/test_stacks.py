"""Plans over stacks, against a small model of CloudFormation: a dict, and what it refuses."""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.planning.topologies import drafted, service, topology

from anden.model.change import Verdict
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.image import ImageSeen, ImageWanted
from anden.model.observation import Observation
from anden.model.plan import Action, ApplyStack, CopyImage, DeleteStack, Plan, SetLevel
from anden.model.stack import Kept, StackSeen, StackState, StackWanted
from anden.model.topology import Range
from anden.planning.rehearsal import rehearse_stacks
from anden.planning.stack_judgement import STACK_S, judge_stacks, stacks_bound_s
from anden.planning.stacks import StackRollout, removal_of_stacks

KEY = EnvironmentKey("banco-andino", "certification", EngineName.AWS)
BLUEPRINT = drafted(topology(service("accounts", instances=Range(1, 4)), service("ledger")))
SETTLED, WORKING, FAILED, STUCK = StackState.SETTLED, StackState.WORKING, StackState.FAILED, StackState.STUCK
MOST_TICKS = 60
DIGEST = BLUEPRINT.digest


def stack(family: str, text: str, *after: str, lasting: bool = False) -> StackWanted:
    return StackWanted(f"anden-{family}", family, "us-east-1", text, after, lasting)


def environment(firewall: str, *services: str, version: str = "1") -> tuple[StackWanted, ...]:
    """As the renderer shards it. firewall: which groups and rules there are."""
    return (
        stack("network", "network", lasting=True),
        stack("firewall", f"groups {firewall}", "network"),
        stack("rules", f"rules {firewall}", "firewall", "network"),
        stack("data", "data", lasting=True),
        stack("edge", "edge", "data", "firewall", "network"),
        *(stack(f"service-{each}", f"{each} {version}", "data", "edge", "firewall", "rules") for each in services),
    )


ONE = environment("accounts", "accounts")
BOTH = environment("both", "accounts", "ledger")
UNION_TO_ONE = environment("both", "accounts")


def seen(wanted: StackWanted, state: StackState = SETTLED, why: str = "") -> StackSeen:
    return StackSeen(wanted.name, wanted.family, wanted.region, state, wanted.digest, DIGEST, why)


def observed(*stacks: StackSeen, **levels: int) -> Observation:
    return Observation(KEY, 1_000.0, bool(stacks), stacks=stacks, levels=levels)


def rollout(wanted: tuple[StackWanted, ...], *, union: tuple[StackWanted, ...] = (), **more: object) -> StackRollout:
    return StackRollout(KEY, BLUEPRINT, {}, wanted, union, **more)  # type: ignore[arg-type]


def steps(plan: Plan) -> list[str]:
    return [f"{step.action} {step.address}" for step in plan.steps]


def waits(plan: Plan) -> dict[str, str]:
    return {wait.address: wait.reason for wait in plan.waits}


def test_independent_stacks_come_in_one_plan_and_the_others_wait_for_what_they_use() -> None:
    plan = rollout(ONE).plan(observed())
    assert steps(plan) == ["+ network", "+ data"]
    assert waits(plan) == {
        "firewall": "until network is settled",
        "rules": "until firewall, network are settled",
        "edge": "until data, firewall, network are settled",
        "service-accounts": "until data, edge, firewall and 1 more are settled",
    }


def test_what_is_as_it_should_be_is_not_touched() -> None:
    assert rollout(ONE).plan(observed(*map(seen, ONE))).settled


def test_only_what_differs_by_its_template_is_applied() -> None:
    fresh = environment("both", "accounts", "ledger", version="2")
    plan = rollout(fresh).plan(observed(*map(seen, BOTH)))
    assert steps(plan) == ["~ service-accounts", "~ service-ledger"]
    assert not plan.waits
    step = plan.steps[0]
    assert isinstance(step.effect, ApplyStack)
    assert (step.effect.stack, step.effect.blueprint) == (fresh[5], DIGEST)


IMAGE = ImageWanted("accounts", "banco/dev/accounts", Digest("sha256:" + "1" * 64), "accounts:2", "us-east-1", "data")
LIES_THERE = ImageSeen(IMAGE.repository, IMAGE.digest)
RUNS = tuple(replace(each, images=(IMAGE,)) if each.family == "service-accounts" else each for each in ONE)


def test_an_image_is_copied_as_soon_as_there_is_a_place_and_its_stack_waits_for_it() -> None:
    assert steps(rollout(RUNS).plan(observed())) == ["+ network", "+ data"]
    network, data = seen(RUNS[0]), seen(RUNS[3])
    plan = rollout(RUNS).plan(observed(network, data))
    assert steps(plan) == ["+ firewall", "+ image accounts"]
    assert plan.steps[1].effect == CopyImage(IMAGE, DIGEST)
    ready = observed(*(seen(each) for each in RUNS[:-1]))
    plan = rollout(RUNS).plan(ready)
    assert steps(plan) == ["+ image accounts"]
    assert waits(plan) == {"service-accounts": "until its image is in the account's registry"}
    assert steps(rollout(RUNS).plan(replace(ready, images=(LIES_THERE,)))) == ["+ service-accounts"]


def test_an_image_that_is_gone_is_not_missed_while_nothing_is_made_of_it() -> None:
    assert rollout(RUNS).plan(observed(*map(seen, RUNS))).settled


def test_an_image_in_another_repository_is_another() -> None:
    elsewhere = ImageSeen("banco/dev/ledger", IMAGE.digest)
    plan = rollout(RUNS).plan(replace(observed(*(seen(each) for each in RUNS[:-1])), images=(elsewhere,)))
    assert steps(plan) == ["+ image accounts"]


def test_a_rehearsal_copies_each_image_once() -> None:
    told = [f"{step.action} {step.address}" for step in rehearse_stacks(rollout(RUNS), observed())]
    assert told.count("+ image accounts") == 1
    assert told.index("+ image accounts") < told.index("+ service-accounts")


def test_a_new_service_finds_the_firewall_wide_before_it_comes() -> None:
    """From one service to two: the union is the target's own, and the service waits for it."""
    plan = rollout(BOTH, union=BOTH, replaced=ONE).plan(observed(*map(seen, ONE)))
    assert steps(plan) == ["~ firewall"]
    assert set(waits(plan)) == {"rules", "service-ledger"}


def test_a_service_that_is_dropped_goes_after_the_rest_has_rolled_and_before_the_firewall_narrows() -> None:
    fresh = environment("accounts", "accounts", version="2")
    union = environment("both", "accounts", version="2")
    world = World({each.family: seen(each) for each in BOTH})
    told = world.run(rollout(fresh, union=union, replaced=BOTH))
    assert told == [["~ service-accounts"], ["- service-ledger"], ["~ rules"], ["~ firewall"]]


def test_while_it_narrows_what_remains_is_said() -> None:
    plan = rollout(ONE, union=UNION_TO_ONE, replaced=BOTH).plan(observed(*map(seen, BOTH)))
    assert steps(plan) == ["- service-ledger"]
    assert waits(plan)["rules"] == "until nothing of what is replaced is left"


def test_a_stack_that_only_the_union_needs_comes_first_and_goes_last() -> None:
    """It was deleted by hand, and what is on its way out needs it."""
    more, fresh = stack("firewall-2", "more groups", "network"), environment("accounts", "accounts", version="2")
    rules = stack("rules", "rules with more groups", "firewall", "firewall-2")
    union = (*UNION_TO_ONE[:2], more, rules, *UNION_TO_ONE[3:5], fresh[5])
    old = (*BOTH[:2], more, rules, *BOTH[3:])
    world = World({each.family: seen(each) for each in BOTH})
    assert world.run(rollout(fresh, union=union, replaced=old)) == [
        ["+ firewall-2"],
        ["~ rules"],
        ["~ service-accounts"],
        ["- service-ledger"],
        ["~ rules"],
        ["~ firewall", "- firewall-2"],
    ]


def test_nobodys_stacks_go_at_once_and_what_they_use_is_not_touched_meanwhile() -> None:
    stranger = StackSeen("anden-service-old", "service-old", "us-east-1", SETTLED, Digest("x"), after=("firewall",))
    plan = rollout(ONE).plan(observed(*(seen(each) for each in BOTH if each.family != "service-ledger"), stranger))
    assert steps(plan) == ["- service-old"]
    assert waits(plan)["firewall"] == "until service-old is gone"


def test_a_stack_that_nobody_of_ours_made_is_left_alone() -> None:
    theirs = StackSeen("anden-theirs", "theirs", "us-east-1", SETTLED)
    assert rollout(ONE).plan(observed(*map(seen, ONE), theirs)).settled
    assert not removal_of_stacks(KEY, observed(theirs), ONE).steps


def test_what_moving_stacks_stand_on_does_not_wait_for_them_in_a_circle() -> None:
    """Found by the properties below: network waited for firewall-2, firewall for rules, and those for the other two."""
    below = (stack("network", "network"), stack("firewall", "groups"))

    def above(text: str) -> tuple[StackWanted, ...]:
        return stack("firewall-2", text, "firewall"), stack("rules", text, "network")

    told = World({}).run(rollout((*below, *above("new")), union=(*below, *above("both"))))
    assert told == [
        ["+ network", "+ firewall"],
        ["+ firewall-2", "+ rules"],
        ["~ firewall-2", "~ rules"],
    ]


def test_what_clings_to_something_dropped_is_moved_before_that_goes() -> None:
    """Found by the properties below, with many more examples: each waited for the other."""
    old = (stack("recovery", "vault"), stack("rules", "old rules", "recovery"))
    world = World({each.family: replace(seen(each), after=each.after) for each in old})
    told = world.run(rollout((stack("rules", "new"),), union=(stack("rules", "both"),), replaced=old))
    assert told == [["~ rules"], ["- recovery"], ["~ rules"]]


def test_a_stack_in_somebodys_hands_is_waited_for() -> None:
    plan = rollout(ONE).plan(observed(*(seen(each, WORKING if each.family == "edge" else SETTLED) for each in ONE)))
    assert not plan.steps
    assert waits(plan) == {"edge": "until the operation on it that is in flight ends"}


def test_a_stack_that_is_stuck_holds_up_those_that_use_it_and_fails_the_change_with_what_the_engine_said() -> None:
    old = environment("old", "accounts")
    here = observed(
        *(seen(each, STUCK, "AccountsOut: denied\nmore") if each.family == "rules" else seen(each) for each in old)
    )
    plan = rollout(ONE).plan(here)
    assert steps(plan) == ["~ firewall"]
    judgement = judge_stacks(rollout(ONE), here, 1.0, {})
    assert (judgement.verdict, judgement.reason) == (Verdict.FAILED, "rules is stuck: AccountsOut: denied")
    assert judgement.evidence == ("anden-rules: AccountsOut: denied", "anden-rules: more")


def test_what_failed_before_is_tried_again_and_what_failed_now_is_not() -> None:
    old, made = environment("accounts", "accounts", version="0"), rollout(ONE)
    here = observed(*map(seen, old[:5]), seen(old[5], FAILED, "AccountsService: tasks do not start"))
    assert steps(made.plan(here)) == ["~ service-accounts"]
    assert made.plan(here).steps[0].reason == "again: its last operation failed"
    assert judge_stacks(made, here, 1.0, {}).verdict is Verdict.CONTINUE
    tried = {"service-accounts": ONE[5].digest}
    assert not made.plan(here, tried).steps
    assert waits(made.plan(here, tried)) == {
        "service-accounts": "for somebody: it failed (AccountsService: tasks do not start)"
    }
    judgement = judge_stacks(made, here, 1.0, tried)
    assert judgement.verdict is Verdict.FAILED
    assert judgement.reason == "service-accounts failed: AccountsService: tasks do not start"


def test_nothing_else_proceeds_when_one_has_failed() -> None:
    old = environment("both", "accounts", "ledger", version="0")
    here = observed(*map(seen, old[:5]), seen(old[5], FAILED, "no"), seen(old[6]))
    assert not rollout(BOTH).plan(here, {"service-accounts": BOTH[5].digest}).steps


def test_a_failed_stack_that_stands_at_what_is_wanted_is_as_it_should_be() -> None:
    """After going back: CloudFormation has put it back already."""
    here = observed(*(seen(each, FAILED) for each in ONE))
    assert judge_stacks(rollout(ONE), here, 1.0, {"rules": Digest("other")}).verdict is Verdict.VERIFIED


def test_it_is_given_up_after_its_bound_which_grows_with_the_longest_chain() -> None:
    made = rollout(ONE)
    assert stacks_bound_s(made) == STACK_S * 2 * 4  # network, firewall, rules or edge, service
    judgement = judge_stacks(made, observed(), stacks_bound_s(made) + 1, {})
    assert judgement.verdict is Verdict.FAILED
    assert judgement.reason == "gave up after 14400 s (firewall waits until network is settled)"


def test_a_level_is_said_once_when_all_has_rolled() -> None:
    made = StackRollout(KEY, BLUEPRINT, {"accounts": 3}, ONE)
    assert all(not isinstance(step.effect, SetLevel) for step in made.plan(observed()).steps)
    plan = made.plan(observed(*map(seen, ONE)))
    assert [step.effect for step in plan.steps] == [SetLevel(BLUEPRINT.topology.services[0].name, 3)]
    assert made.plan(observed(*map(seen, ONE), accounts=3)).settled
    assert rollout(ONE).plan(observed(*map(seen, ONE), accounts=3)).settled


def test_removal_ends_users_first_and_what_lasts_at_the_very_end() -> None:
    world = World({each.family: seen(each) for each in BOTH})
    told: list[list[str]] = []
    for _ in range(MOST_TICKS):
        plan = removal_of_stacks(KEY, world.observe(), BOTH)
        if plan.settled:
            break
        told.append(steps(plan))
        world.execute(plan)
    assert told == [
        ["- service-accounts", "- service-ledger"],
        ["- edge", "- rules"],
        ["- firewall"],
        ["- data", "- network"],
    ]
    assert world.stacks == {}


def test_two_that_last_do_not_wait_for_what_the_other_one_uses() -> None:
    """Found by the property below: each waited for what only the other one's end sets free."""
    here = (stack("a", "a"), stack("b", "b"), stack("x", "x", "a", lasting=True), stack("y", "y", "b", lasting=True))
    plan = removal_of_stacks(KEY, observed(*map(seen, here)), here)
    assert steps(plan) == ["- x", "- y"]


def test_removal_goes_by_the_engines_word_where_no_record_says_what_uses_what() -> None:
    user = replace(seen(ONE[1]), after=("network",))
    plan = removal_of_stacks(KEY, observed(seen(ONE[0]), user), ())
    assert steps(plan) == ["- firewall"]
    assert waits(plan) == {"network": "until firewall does not use it"}


# What outlives the environment.


def kept(family: str, state: StackState = SETTLED) -> StackSeen:
    return replace(seen(stack(family, family)), state=state, kept=Kept(family, "203.0.113.7"))


def test_what_is_kept_stays_when_nobody_needs_it_any_more() -> None:
    old = (*BOTH, stack("address-c", "address-c", lasting=True))
    here = observed(*map(seen, BOTH), kept("address-c"))
    assert rollout(BOTH).plan(here).settled  # a stranger to the target
    assert rollout(BOTH, union=old, replaced=old).plan(here).settled  # and what a change has dropped


def test_down_leaves_what_is_kept_and_a_release_ends_it_last() -> None:
    here = observed(seen(ONE[0]), kept("address-a"))
    assert steps(removal_of_stacks(KEY, here, ONE)) == [f"- {ONE[0].family}"]
    assert waits(removal_of_stacks(KEY, here, ONE, release=True)) == {"address-a": "until everything else is gone"}
    alone = observed(kept("address-a"))
    assert removal_of_stacks(KEY, alone, ONE).settled
    (step,) = removal_of_stacks(KEY, alone, ONE, release=True).steps
    assert step.reason == "released for ever: 203.0.113.7"
    assert step.effect == DeleteStack("anden-address-a", "address-a", "us-east-1")
    assert not removal_of_stacks(KEY, observed(kept("address-a", WORKING)), ONE).settled


# Any observation is a place to go on from.


@dataclass
class World:
    """CloudFormation as a dict. It refuses what the real one would fail at."""

    stacks: dict[str, StackSeen]
    after: dict[Digest, tuple[str, ...]] = field(default_factory=dict)
    """Template to what it uses, beside ONE's, BOTH's and the steps' own."""
    levels: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in (*ONE, *BOTH, *UNION_TO_ONE):
            self.after.setdefault(each.digest, each.after)

    def observe(self) -> Observation:
        ordered = tuple(self.stacks[family] for family in sorted(self.stacks))
        return Observation(KEY, 0.0, bool(ordered), stacks=ordered, levels=dict(self.levels))

    def uses(self, one: StackSeen) -> set[str]:
        return {*one.after, *(self.after.get(one.template, ()) if one.template else ())}

    def execute(self, plan: Plan) -> None:
        touched: set[str] = set()
        before = dict(self.stacks)
        for step in plan.steps:
            match step.effect:
                case ApplyStack(stack=wanted):
                    old = before.get(wanted.family)
                    assert old is None or old.state in (SETTLED, FAILED), f"{wanted.family} cannot be applied"
                    assert step.action is (Action.CREATE if old is None else Action.UPDATE)
                    missing = set(wanted.after) - before.keys()
                    assert not missing, f"{wanted.family} uses {missing}, which are not there"
                    assert not touched & set(wanted.after), f"{wanted.family} beside what it uses"
                    self.after[wanted.digest] = wanted.after
                    self.stacks[wanted.family] = seen(wanted)
                    touched.add(wanted.family)
                case DeleteStack(family=family):
                    users = [each for each, one in self.stacks.items() if each != family and family in self.uses(one)]
                    assert not users, f"{family} is used by {users}"
                    del self.stacks[family]
                    touched.add(family)
                case SetLevel(service=name, level=level):
                    self.levels[name] = level
                case other:
                    raise AssertionError(other)

    def pass_time(self) -> None:
        """Operations in flight end."""
        for family, one in self.stacks.items():
            if one.state is WORKING:
                self.stacks[family] = replace(one, state=SETTLED)

    def run(self, made: StackRollout) -> list[list[str]]:
        """Ticks until all is as it should be; what each did."""
        told: list[list[str]] = []
        for _ in range(MOST_TICKS):
            plan = made.plan(self.observe())
            if plan.settled:
                return told
            if plan.steps:
                told.append(steps(plan))
            else:
                assert any(one.state is WORKING for one in self.stacks.values()), plan.waits
            self.execute(plan)
            self.pass_time()
        raise AssertionError(f"it does not end: {plan}")


FAMILIES = ("network", "firewall", "firewall-2", "rules", "data", "edge", "service-a", "service-b", "service-c")


@st.composite
def blueprints(draw: st.DrawFn) -> dict[str, StackWanted]:
    """Some stacks, each after some of those before it; templates that often are the same."""
    made: dict[str, StackWanted] = {}
    for family in FAMILIES:
        if draw(st.integers(0, 3)):
            after = tuple(sorted(draw(st.sets(st.sampled_from(sorted(made)))))) if made else ()
            made[family] = stack(
                family, f"{family} {draw(st.integers(0, 1))} {after}", *after, lasting=draw(st.booleans())
            )
    return made


def united(target: dict[str, StackWanted], old: dict[str, StackWanted]) -> dict[str, StackWanted]:
    """The firewall for both; the rest is the target's."""
    both = dict(target)
    for family in ("firewall", "firewall-2", "rules"):
        if family not in target and family not in old:
            continue
        needs = {each for of in (target, old) if family in of for each in of[family].after}
        # What the union uses must be in it: a union names no stack of a service.
        after = tuple(sorted(each for each in needs if each in target or each.startswith(("firewall", "rules"))))
        text = [of[family].template for of in (target, old) if family in of]
        both[family] = stack(family, text[0] if len(set(text)) == 1 and family in target else f"{text} {after}", *after)
        if both[family].template == text[0] and family in target:
            both[family] = target[family]
    return {family: both[family] for family in FAMILIES if family in both}


@st.composite
def worlds(draw: st.DrawFn, *of: dict[str, StackWanted]) -> World:
    """Any of these stacks, each at any of its templates or at another one, in any state that time or a plan ends; what
    one uses is there."""
    world = World({})
    for family in FAMILIES:
        known = [each[family] for each in of if family in each]
        other = stack(family, f"another {family}")
        chosen = draw(st.sampled_from([None, *known, other]))
        if chosen is None or not set(chosen.after) <= world.stacks.keys():
            continue
        state = draw(st.sampled_from([SETTLED, SETTLED, WORKING, FAILED]))
        world.after[chosen.digest] = chosen.after
        world.stacks[family] = replace(seen(chosen, state), after=chosen.after)
    return world


@given(st.data())
def test_any_observation_is_a_place_to_go_on_from(data: st.DataObject) -> None:
    target, old = data.draw(blueprints()), data.draw(blueprints())
    union = united(target, old)
    if data.draw(st.booleans()):
        made = StackRollout(
            KEY, BLUEPRINT, {"accounts": 3}, tuple(target.values()), tuple(union.values()), tuple(old.values())
        )
    else:
        made = StackRollout(KEY, BLUEPRINT, {}, tuple(target.values()))
    world = data.draw(worlds(target, old, union))
    world.run(made)
    assert {family: one.template for family, one in world.stacks.items()} == {
        family: each.digest for family, each in target.items()
    }


@given(st.data())
def test_nothing_narrows_before_the_rest_has_rolled_and_what_is_dropped_is_gone(data: st.DataObject) -> None:
    target, old = data.draw(blueprints()), data.draw(blueprints())
    union = united(target, old)
    made = StackRollout(KEY, BLUEPRINT, {}, tuple(target.values()), tuple(union.values()), tuple(old.values()))
    moving = {family for family, each in target.items() if union[family].digest != each.digest}
    world = data.draw(worlds(target, old, union))
    for _ in range(MOST_TICKS):
        plan = made.plan(world.observe())
        if plan.settled:
            return
        for step in plan.steps:
            if isinstance(step.effect, ApplyStack) and step.effect.stack.family in moving:
                family = step.effect.stack.family
                if step.effect.stack.digest == target[family].digest:
                    for each, wanted in target.items():
                        assert each in moving or world.stacks[each].template == wanted.digest, f"{family} before {each}"
                    assert not (world.stacks.keys() & old.keys()) - union.keys(), "what is dropped is still there"
        world.execute(plan)
        world.pass_time()
    raise AssertionError("it does not end")


@given(st.data())
def test_a_removal_ends_with_nothing_left_and_never_takes_away_what_is_used(data: st.DataObject) -> None:
    old, other = data.draw(blueprints()), data.draw(blueprints())
    world = data.draw(worlds(old, other))
    for _ in range(MOST_TICKS):
        plan = removal_of_stacks(KEY, world.observe(), tuple(old.values()))
        if plan.settled:
            break
        world.execute(plan)
        world.pass_time()
    assert world.stacks == {}
