"""Which planner an engine needs: one that places instances, or one that applies stacks. Both are asked the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anden.control import changes
from anden.model.blueprint import Blueprint
from anden.model.change import Judgement
from anden.model.ids import Digest, EnvironmentKey
from anden.model.issuer import NOBODY, Known
from anden.model.manners import BY_NAME, Manners
from anden.model.observation import Observation
from anden.model.plan import Action, Plan, Remove, Step
from anden.model.ports import Engine, Store, Target
from anden.model.stack import StackWanted
from anden.planning.issuers import keyed_blueprint
from anden.planning.judgement import change_bound_s, judge
from anden.planning.ordering import depth
from anden.planning.rehearsal import rehearse, rehearse_stacks
from anden.planning.stack_judgement import STACK_S, judge_stacks, stacks_bound_s
from anden.planning.stacks import NOTHING, StackRollout, Tried, removal_of_stacks
from anden.planning.steps import Rollout, removal


@dataclass(frozen=True, slots=True)
class Way:
    """The way to one target."""

    rollout: Rollout | StackRollout

    @property
    def by_stacks(self) -> bool:
        """Whether the engine applies stacks."""
        return isinstance(self.rollout, StackRollout)

    @property
    def bound_s(self) -> float:
        """Seconds after which it is given up."""
        if isinstance(self.rollout, StackRollout):
            return stacks_bound_s(self.rollout)
        return change_bound_s(self.rollout.target, self.rollout.manners)

    def plan(self, observation: Observation, tried: Tried = NOTHING, *, mend: bool = False) -> Plan:
        """What one tick does. Of stacks only: tried, family to the template that was tried last; mend, put back what
        was changed by hand."""
        if isinstance(self.rollout, StackRollout):
            return self.rollout.plan(observation, tried, mend=mend)
        return self.rollout.plan(observation)

    def judge(
        self, observation: Observation, began: float, worked_s: float, tried: Tried = NOTHING, *, mend: bool = False
    ) -> Judgement:
        """What becomes of the change that goes this way; see planning.judgement and planning.stack_judgement."""
        if isinstance(self.rollout, StackRollout):
            return judge_stacks(self.rollout, observation, worked_s, tried, mend=mend)
        return judge(self.rollout, observation, began, worked_s)


def way(
    engine: Engine,
    key: EnvironmentKey,
    blueprint: Blueprint,
    levels: Mapping[str, int],
    generations: Mapping[str, int],
    keeping: Blueprint | None,
    manners: Manners,
    known: Known = NOBODY,
) -> Way:
    """The way to `blueprint`. keeping: while a change is in flight, the blueprint that it replaces. known: what was
    fetched of issuers."""
    blueprint = keyed_blueprint(blueprint, known)
    keeping = keyed_blueprint(keeping, known) if keeping is not None else None
    wanted = engine.stacks(blueprint, None, generations)
    if wanted and keeping is None:
        return Way(StackRollout(key, blueprint, levels, wanted))
    if wanted and keeping is not None:
        union, replaced = engine.stacks(blueprint, keeping, generations), engine.stacks(keeping, None, {})
        return Way(StackRollout(key, blueprint, levels, wanted, union, replaced))
    caveats = engine.caveats(blueprint.topology)
    return Way(Rollout(key, blueprint, levels, generations, keeping, caveats, manners))


def rehearsal(
    engine: Engine,
    key: EnvironmentKey,
    blueprint: Blueprint,
    levels: Mapping[str, int],
    generations: Mapping[str, int],
    keeping: Blueprint | None,
    manners: Manners,
    seen: Observation,
    known: Known = NOBODY,
) -> tuple[Step, ...]:
    """All of the way on paper, as if every step succeeded."""
    its = way(engine, key, blueprint, levels, generations, keeping, manners, known)
    if isinstance(its.rollout, StackRollout):
        return rehearse_stacks(its.rollout, seen)
    paper, kept = its.rollout.target, its.rollout.keeping
    return rehearse(key, paper, levels, generations, kept, its.rollout.caveats, seen, manners)


def way_to(engine: Engine, store: Store, target: Target, digest: Digest, keeping: Digest | None) -> Way:
    """The same for what is on record."""
    kept = store.blueprint(keeping) if keeping is not None else None
    manners = BY_NAME[target.manners]
    blueprint = store.blueprint(digest)
    return way(engine, target.key, blueprint, target.levels, target.generations, kept, manners, target.issuers)


def removing(engine: Engine, store: Store, key: EnvironmentKey, observation: Observation, *, release: bool) -> Plan:
    """The plan of `down`. release: with what would outlive the environment."""
    known = last_wanted(engine, store, key)
    if known or observation.stacks:
        return removal_of_stacks(key, observation, known, release=release)
    # Also where nothing answers any more: what died may have left something behind.
    step = Step(Action.DELETE, key.environment, "down", Remove())
    return removal(key, observation) if observation.present else Plan(key, None, (step,))


def removal_bound_s(known: Sequence[StackWanted]) -> float:
    """Seconds that ending these stacks may take; 0 for none."""
    return STACK_S * depth({stack.family: stack for stack in known})


def last_wanted(engine: Engine, store: Store, key: EnvironmentKey) -> tuple[StackWanted, ...]:
    """The stacks of the last change: those of its target, and those of what it replaced that the target drops."""
    change = changes.latest(store, key)
    if change is None:
        return ()
    wanted = engine.stacks(store.blueprint(change.target), None, {})
    if change.previous is None or not wanted:
        return wanted
    families = {stack.family for stack in wanted}
    before = engine.stacks(store.blueprint(change.previous), None, {})
    return (*wanted, *(stack for stack in before if stack.family not in families))
