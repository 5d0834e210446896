"""The steps of one tick where an engine makes an environment of stacks: what differs, after what it uses.

Pure and without memory, like `steps`: any observation is a place to go on from. During a change there are two goals for
a stack. *Wide* suits what is replaced as well as what replaces it (the firewall's union); *narrow* is the target's own.

1. While something is still to roll, every stack that has two goals goes to the wide one first (and what they stand on
   before them), then the others to theirs, each after those that it uses. The images that a stack runs are copied as
   soon as there is a place for them, beside whatever else is made, and the stack waits for them.
2. Then what the target drops goes, users first.
3. Then the wide ones become narrow, users first: a group goes only when no rule names it any more.

What a stack keeps for longer than the environment (`StackSeen.kept`) stays, needed or not, until it is released.

Steps of one plan never depend on each other, so an engine does them at once. A stack in somebody's hands is waited for;
one that is stuck holds up those that use it, and says so.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Literal

from anden.model.blueprint import Blueprint
from anden.model.ids import Digest, EnvironmentKey, ServiceName
from anden.model.image import ImageWanted
from anden.model.manners import TWIN, Manners
from anden.model.observation import Observation
from anden.model.plan import Action, ApplyStack, CopyImage, DeleteStack, Plan, SetLevel, Step, Wait
from anden.model.stack import StackSeen, StackState, StackWanted
from anden.planning.instances import level
from anden.planning.ordering import chain, users_of

Tried = Mapping[str, Digest]
"""Family to the template that was last tried by whoever asks. What failed with it is not tried again by itself."""
NOTHING: Tried = {}
Places = Set[tuple[str, Digest]]
"""Repositories and the images that lie in them."""
DRIFTED = Digest("drifted")
"""In the place of a template's digest: it was changed by hand, and is to be put back."""
AT_REST = frozenset({StackState.SETTLED, StackState.FAILED})
"""States in which a stack stands as its template says."""
FELL = frozenset({StackState.FAILED, StackState.STUCK})
"""States after an operation that did not succeed."""
MOST_NAMED = 3
"""Stacks that a reason names before it only counts them."""


class StackRollout:
    """`plan` for one target again and again. wanted: the target's own stacks. union: those that suit what it replaces
    as well, while a change is in flight; empty otherwise. replaced: the stacks of what it replaces: those that the
    target drops stay until the rest has rolled. levels: service to the level asked for."""

    manners: Manners = TWIN

    def __init__(
        self,
        key: EnvironmentKey,
        target: Blueprint,
        levels: Mapping[str, int],
        wanted: Sequence[StackWanted],
        union: Sequence[StackWanted] = (),
        replaced: Sequence[StackWanted] = (),
    ) -> None:
        self.key, self.target = key, target
        self.digest = target.digest
        self.narrow = {stack.family: stack for stack in wanted}
        self.wide = {stack.family: stack for stack in union or wanted}
        self._replaced = {stack.family: stack for stack in replaced}
        self._digests = {stack: stack.digest for stack in (*self.narrow.values(), *self.wide.values(), *replaced)}
        self._moving = [family for family in self.wide if self._moves(family)]
        after = {family: stack.after for family, stack in self.wide.items()}
        above = {family: chain(family, after) for family in self._moving}
        below = {family for each in self._moving for family in above[each]}
        # What any of them stands on waits for none of them, or two could wait for each other in a circle.
        self._first = {family: [] if family in below else self._moving for family in self.wide}
        self._levels = {
            service.name: level(service, levels) for service in target.topology.services if service.name in levels
        }

    def _moves(self, family: str) -> bool:
        """It has two goals, or is needed only until the rest has rolled."""
        narrow = self.narrow.get(family)
        return narrow is None or self._digests[narrow] != self._digests[self.wide[family]]

    def plan(self, observation: Observation, tried: Tried = NOTHING, *, mend: bool = False) -> Plan:
        """What one tick does for this observation. Where something that was tried has failed, nothing else proceeds.
        mend: what was changed by hand is put back as its template says, once."""
        seen = {one.family: _unlike(one) if mend and _to_mend(one, tried) else one for one in observation.stacks}
        if refused := self.refused(observation, tried):
            waits = tuple(Wait(one.family, f"for somebody: it failed ({_first_line(one.why)})") for one in refused)
            return Plan(self.key, self.digest, (), waits)
        work = _Work(self.key, self.digest)
        used = users_of(seen, self._after(seen))
        # Nobody's stacks go at once; what they use is not touched in the same tick.
        nobody = [one for one in seen.values() if self._is_nobodys(one)]
        work.delete(nobody, used, "not in the manifest any more")
        if self._rolling(seen):
            self._roll(seen, used, work, {(image.repository, image.digest) for image in observation.images})
        elif parting := [one for one in seen.values() if self._parts(one)]:
            work.delete(parting, used, "not in the manifest any more")
            for family in self._moving:
                work.wait(family, "until nothing of what is replaced is left")
        else:
            self._narrow(seen, used, work)
        if not self._rolling(seen):
            self._level(observation, work)
        return work.plan()

    def refused(self, observation: Observation, tried: Tried) -> tuple[StackSeen, ...]:
        """Stacks that failed with a goal of this rollout, which was tried."""
        return tuple(one for one in observation.stacks if tried and self._failed(one, tried.get(one.family)))

    def _failed(self, one: StackSeen, tried: Digest | None) -> bool:
        if one.state not in FELL or tried is None or one.template == tried:
            return False
        return tried in {
            self._digests[stack] for of in (self.narrow, self.wide) if (stack := of.get(one.family)) is not None
        }

    def stuck(self, observation: Observation) -> tuple[StackSeen, ...]:
        """Stacks of this target to which nothing can be applied."""
        known = self.narrow.keys() | self.wide.keys()
        return tuple(one for one in observation.stacks if one.family in known and one.state is StackState.STUCK)

    # The three stages.

    def _rolling(self, seen: Mapping[str, StackSeen]) -> bool:
        """Something with one goal is not there yet, or something that should be there at the end is not, or something
        stands at neither of its goals: from there the narrow one may be a step too far, and what is dropped is used."""
        return any(
            (one := seen.get(family)) is None or (family not in self._moving and not self._is(one, stack))
            for family, stack in self.narrow.items()
        ) or any(self._astray(seen, family) for family in self._moving)

    def _astray(self, seen: Mapping[str, StackSeen], family: str) -> bool:
        one = seen.get(family)
        return one is not None and not self._is(one, self.wide[family]) and not self._is_at(seen, family)

    def _roll(self, seen: Mapping[str, StackSeen], used: Mapping[str, set[str]], work: "_Work", there: Places) -> None:
        for family, stack in self.wide.items():
            moving = family in self._moving
            one = seen.get(family)
            if one is not None and self._is(one, stack):
                continue
            before = [*stack.after, *([] if moving else self._first[family])]
            missing = [each for each in dict.fromkeys(before) if each in self.wide and not self._reached(seen, each)]
            why = "room for old and new side by side" if moving and one is not None else _reason(one)
            lacking = [image for image in stack.images if (image.repository, image.digest) not in there]
            for image in lacking:
                if self._reached(seen, image.after):
                    work.copy(image)
            if missing:
                work.wait(family, f"until {_listed(missing)} {'is' if len(missing) == 1 else 'are'} settled")
            elif lacking:
                work.wait(family, "until its image is in the account's registry")
            else:
                work.apply(stack, one, why, used)
        for family, one in seen.items():
            if self._parts(one):
                work.wait(family, "until everything else has rolled: it is not in the manifest any more")

    def _narrow(self, seen: Mapping[str, StackSeen], used: Mapping[str, set[str]], work: "_Work") -> None:
        """Users first. What is needed by nobody any more goes last of all."""
        left = [family for family in self._moving if family in self.narrow and not self._is_at(seen, family)]
        for family in left:
            users = {*used.get(family, ()), *(each for each in left if family in self.narrow[each].after)}
            before = sorted(users.intersection(left))
            if before:
                work.wait(family, f"until {_listed(before)} {'needs' if len(before) == 1 else 'need'} less of it")
            else:
                work.apply(self.narrow[family], seen[family], "nothing of what was replaced is left", used)
        spare = [seen[family] for family in self._moving if family not in self.narrow and family in seen]
        spare = [one for one in spare if one.kept is None]
        work.delete(spare, used, "nothing of what was replaced is left")
        # One goal, and reached; but somebody's operation on it may be in flight.
        for family, stack in self.narrow.items():
            one = seen[family]
            if one.state not in AT_REST and self._is(one, stack):
                work.hold(one)

    def _level(self, observation: Observation, work: "_Work") -> None:
        for service, wanted in sorted(self._levels.items()):
            if observation.levels.get(service) != wanted:
                work.steps.append(
                    Step(Action.UPDATE, service, f"level {wanted}", SetLevel(ServiceName(service), wanted))
                )

    # What is seen, against what is wanted.

    def _is(self, one: StackSeen, stack: StackWanted) -> bool:
        return one.template == self._digests[stack]

    def _is_at(self, seen: Mapping[str, StackSeen], family: str) -> bool:
        one = seen.get(family)
        return one is not None and family in self.narrow and self._is(one, self.narrow[family])

    def _reached(self, seen: Mapping[str, StackSeen], family: str) -> bool:
        one = seen.get(family)
        return one is not None and one.state in AT_REST and self._is(one, self.wide[family])

    def _is_stranger(self, one: StackSeen) -> bool:
        """Neither the target nor what it replaces knows it."""
        return not any(one.family in known for known in (self.narrow, self.wide, self._replaced))

    def _is_nobodys(self, one: StackSeen) -> bool:
        return self._is_stranger(one) and not foreign(one) and one.kept is None

    def _parts(self, one: StackSeen) -> bool:
        """What is replaced has it, and the target does not."""
        return one.family not in self.wide and not self._is_stranger(one) and one.kept is None

    def _after(self, seen: Mapping[str, StackSeen]) -> dict[str, set[str]]:
        """Family to the families that its stack, as it is now, uses."""
        return {family: self._uses(one) for family, one in seen.items()}

    def _uses(self, one: StackSeen) -> set[str]:
        known = [stack for of in (self.narrow, self.wide, self._replaced) if (stack := of.get(one.family)) is not None]
        for stack in known:
            if self._is(one, stack):
                return {*stack.after, *one.after}
        return {*one.after, *(family for stack in known for family in stack.after)}


def removal_of_stacks(
    key: EnvironmentKey, observation: Observation, known: Sequence[StackWanted], *, release: bool = False
) -> Plan:
    """The plan of `down`: users first, what must outlive a mistake last. known: the stacks as they were last wanted,
    where that is on record; without it the engine's own word on what uses what has to do. release: what would outlive
    the environment goes too, when nothing else is left."""
    everything = [one for one in observation.stacks if not foreign(one)]
    seen = {one.family: one for one in everything if one.kept is None}
    kept = [one for one in everything if one.kept is not None]
    wanted = {stack.family: stack for stack in known}
    after = {family: {*one.after, *(wanted[family].after if family in wanted else ())} for family, one in seen.items()}
    lasting = [one for one in seen.values() if one.family in wanted and wanted[one.family].lasting]
    others = [one for one in seen.values() if one not in lasting]
    work, used = _Work(key, None), users_of(seen, after)
    work.delete(others, used, "down; protection against deletion is lifted", lift=True)
    # What a lasting one uses cannot go before it.
    held = {family for one in lasting for family in chain(one.family, after)}
    everything_else = any(each.family not in held for each in others)
    for one in lasting:
        if everything_else:
            work.wait(one.family, "until everything else is gone")
        else:
            work.delete([one], used, "down; protection is lifted, and what it retains is listed", lift=True)
    for one in kept:
        if one.state is StackState.WORKING:
            work.hold(one)
        elif release and seen:
            work.wait(one.family, "until everything else is gone")
        elif release:
            work.release(one)
    return work.plan()


def foreign(one: StackSeen) -> bool:
    """It has a name like ours and nobody of ours made it."""
    return one.template is None and one.blueprint is None and one.state is StackState.SETTLED


class _Work:
    """The plan in the making."""

    def __init__(self, key: EnvironmentKey, blueprint: Digest | None) -> None:
        self._key, self._blueprint = key, blueprint
        self.steps: list[Step] = []
        self.waits: list[Wait] = []
        self._going: set[str] = set()

    def plan(self) -> Plan:
        """As it stands."""
        return Plan(self._key, self._blueprint, tuple(self.steps), tuple(self.waits))

    def wait(self, family: str, reason: str) -> None:
        """It is not done yet."""
        self.waits.append(Wait(family, reason))

    def hold(self, one: StackSeen) -> None:
        """Wait for a stack to which nothing can be done now."""
        if one.state is StackState.WORKING:
            self.wait(one.family, "until the operation on it that is in flight ends")
        else:
            self.wait(one.family, f"for somebody: it is stuck ({_first_line(one.why)})")

    def apply(self, stack: StackWanted, one: StackSeen | None, why: str, used: Mapping[str, set[str]]) -> None:
        """Make it so, unless somebody has it in hand or a user of it goes just now."""
        going = sorted(used.get(stack.family, set()) & self._going)
        if one is not None and one.state not in AT_REST:
            self.hold(one)
        elif going:
            self.wait(stack.family, f"until {_listed(going)} is gone")
        elif self._blueprint is not None:
            action = Action.CREATE if one is None else Action.UPDATE
            self.steps.append(Step(action, stack.family, why, ApplyStack(stack, self._blueprint, _drift(one))))

    def copy(self, image: ImageWanted) -> None:
        """Bring it to the registry."""
        if self._blueprint is not None:
            why = f"{image.name} is not in the account's registry"
            self.steps.append(Step(Action.CREATE, f"image {image.service}", why, CopyImage(image, self._blueprint)))

    def delete(self, ones: Iterable[StackSeen], used: Mapping[str, set[str]], why: str, *, lift: bool = False) -> None:
        """End those that no other stack uses; the others wait for their users. lift: see DeleteStack."""
        for one in sorted(ones, key=lambda each: each.family):
            users = sorted(used.get(one.family, set()))
            if one.state is StackState.WORKING:
                self._going.add(one.family)
                self.hold(one)
            elif users:
                self.wait(one.family, f"until {_listed(users)} {'does' if len(users) == 1 else 'do'} not use it")
            else:
                self._going.add(one.family)
                effect = DeleteStack(one.name, one.family, one.region, lift)
                self.steps.append(Step(Action.DELETE, one.family, why, effect))

    def release(self, one: StackSeen) -> None:
        """End it, and with it what it keeps."""
        what, back = (one.kept.what, one.kept.back) if one.kept is not None else (one.name, "")
        why = f"released: {what}; {back}" if back else f"released for ever: {what}"
        self.steps.append(Step(Action.DELETE, one.family, why, DeleteStack(one.name, one.family, one.region)))


def _to_mend(one: StackSeen, tried: Tried) -> bool:
    return bool(one.drifted) and one.template is not None and tried.get(one.family) != one.template


def _unlike(one: StackSeen) -> StackSeen:
    """As one that stands at no template of ours: so it is applied again."""
    return replace(one, template=DRIFTED)


def _drift(one: StackSeen | None) -> Literal["", "revert", "keep"]:
    if one is None or not one.drifted:
        return ""
    return "revert" if one.template == DRIFTED else "keep"


def _reason(one: StackSeen | None) -> str:
    if one is None:
        return "new"
    if one.template == DRIFTED:
        return f"was changed by hand: {_listed(one.drifted)}"
    if one.state is StackState.FAILED:
        return "again: its last operation failed"
    return "as the blueprint says"


def _first_line(why: str) -> str:
    return next(iter(why.splitlines()), "") or "the engine does not say why"


def _listed(families: Sequence[str]) -> str:
    more = len(families) - MOST_NAMED
    return ", ".join(families[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
