"""A whole rollout on paper: `plan` again and again on a model in which every step succeeds and all becomes healthy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from anden.model.blueprint import Blueprint
from anden.model.ids import EnvironmentKey
from anden.model.image import ImageSeen
from anden.model.manners import TWIN, Manners
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.plan import (
    ApplyStack,
    Caveat,
    Configure,
    CopyImage,
    DeleteStack,
    Plan,
    Remove,
    SetLevel,
    StartInstance,
    Step,
    StopInstance,
)
from anden.model.stack import StackSeen, StackState
from anden.planning.instances import LEAVING
from anden.planning.stacks import StackRollout
from anden.planning.steps import Rollout

TICKS = 16
"""Plans that a rehearsal makes at most, and TICKS_AN_INSTANCE more for each instance that is there or has a slot."""
TICKS_AN_INSTANCE = 2
TICKS_A_STACK = 3
"""The same for each stack: wide, narrow, gone."""
HEALED = (InstanceState.RUNNING, Health.HEALTHY, True)


def rehearse(
    key: EnvironmentKey,
    target: Blueprint,
    levels: Mapping[str, int],
    generations: Mapping[str, int],
    keeping: Blueprint | None,
    caveats: Sequence[Caveat],
    observation: Observation,
    manners: Manners = TWIN,
) -> tuple[Step, ...]:
    """Every step from `observation` to the target, in order, as if all of them succeeded. Ends for any start."""
    places = len(observation.instances) + sum(len(placement.slots) for placement in target.placements)
    # On paper nothing takes time, so one plan starts all that it can: 1,000 services would take twenty otherwise.
    rollout = Rollout(key, target, levels, generations, keeping, caveats, manners, most_starts=max(places, 1))
    return rehearsed(rollout.plan, observation, TICKS + TICKS_AN_INSTANCE * places)


def rehearse_stacks(rollout: StackRollout, observation: Observation) -> tuple[Step, ...]:
    """The same over stacks. A stack in somebody's hands, or stuck, ends it where it waits for that."""
    return rehearsed(rollout.plan, observation, TICKS + TICKS_A_STACK * (len(rollout.wide) + len(observation.stacks)))


def rehearsed(planned: Callable[[Observation], Plan], observation: Observation, most: int) -> tuple[Step, ...]:
    """The steps of at most so many plans, each made after the ones before it succeeded."""
    steps: list[Step] = []
    for _ in range(most):
        plan = planned(observation)
        steps += plan.steps
        after = healed(applied(observation, plan.steps))
        if plan.settled or after == observation:
            break
        observation = after
    return tuple(steps)


def applied(observation: Observation, steps: Sequence[Step]) -> Observation:
    """What is seen after the steps, each with its perfect effect; what they start is not healthy yet."""
    instances = {seen.id: seen for seen in observation.instances} if observation.present else {}
    for step in steps:
        match step.effect:
            case Configure(configuration=configuration):
                observation = replace(observation, present=True, configuration=configuration.digest, absent_reason="")
            case StartInstance(instance=instance):
                instances[instance.id] = InstanceSeen(
                    id=instance.id,
                    service=instance.service,
                    ordinal=instance.ordinal,
                    zone=instance.zone,
                    address=instance.address,
                    revision=instance.revision,
                    image_name=instance.image_name,
                    state=InstanceState.STARTING,
                    health=Health.UNKNOWN,
                    since=observation.at,
                )
            case StopInstance(id=id):
                instances.pop(id, None)
            case Remove():
                instances.clear()
                observation = replace(observation, present=False, configuration=None)
            case CopyImage(image=image):
                copied = ImageSeen(image.repository, image.digest)
                observation = replace(observation, images=(*observation.images, copied))
            case ApplyStack() | DeleteStack() | SetLevel():
                observation = _stacked(observation, step.effect)
    ordered = sorted(instances.values(), key=lambda seen: (seen.service, seen.ordinal, seen.id))
    return replace(observation, instances=tuple(ordered))


def _stacked(observation: Observation, effect: ApplyStack | DeleteStack | SetLevel) -> Observation:
    if isinstance(effect, SetLevel):
        return replace(observation, levels={**observation.levels, effect.service: effect.level})
    family = effect.family if isinstance(effect, DeleteStack) else effect.stack.family
    stacks = [one for one in observation.stacks if one.family != family]
    if isinstance(effect, ApplyStack):
        made = effect.stack
        stacks.append(
            StackSeen(
                made.name, family, made.region, StackState.SETTLED, made.digest, effect.blueprint, after=made.after
            )
        )
    return replace(observation, present=bool(stacks), stacks=tuple(stacks), absent_reason="")


def healed(observation: Observation) -> Observation:
    """The same with everything healthy that nobody has told to go."""
    return replace(
        observation,
        instances=tuple(
            seen
            if seen.state in LEAVING or (seen.state, seen.health, seen.ever_healthy) == HEALED
            else replace(seen, state=InstanceState.RUNNING, health=Health.HEALTHY, ever_healthy=True)
            for seen in observation.instances
        ),
    )
