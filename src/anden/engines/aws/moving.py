"""What a machine kept of a client while the account had no state bucket goes into the bucket.

Each environment by itself, under its lock: blueprints, commands, changes, the target last. Where it is cut off, the
next time goes on: what lies in the bucket already is not written twice. The bucket wins: of an environment that it
has a target or a change of which this machine knows nothing, nothing is moved.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from anden.engines.aws.state import Held, State
from anden.model.change import Change
from anden.model.command import Command, Outcome
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.ports import Store, Target
from anden.model.problem import Problem, Problems

MOST = 20_000
"""Commands, or changes of an environment, that are moved: more than a machine records in years. The bucket's journal
takes ten times as many."""
RENEWED_EACH = 50
"""Entries written between two renewals of the lock: at a second each that is a sixth of the time that it lasts."""
PURPOSE = "move what one machine kept"
"""The words of the command in the record."""
Kind = TypeVar("Kind", Command, Change)


@dataclass(frozen=True, slots=True)
class Moved:
    """Names of environments. moved: they lie in the bucket now. left: the bucket knew them otherwise, and wins."""

    moved: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def move(
    state: State, kept: Store, client: str, who: str, holder: Callable[[], str], now: Callable[[], float]
) -> Moved:
    """Everything that `kept` has of the client's environments. who: the operator. holder: a new id at each call.
    Raises Problems: somebody holds a lock, the bucket cannot be written, or there is too much; then what lies in
    `kept` is still to be moved."""
    commands = _bounded("commands", kept.commands(None, MOST + 1))
    targets = {target.key: target for target in kept.targets()}
    keys = {key for key in (*targets, *(command.key for command in commands)) if _ours(key, client)}
    fault = kept.verify().fault
    moved, left = [], []
    for key in sorted(keys, key=str):
        changes = _bounded(f"changes of {key}", kept.changes(key, MOST + 1))
        its = _Environment(key, targets.get(key), changes, [each for each in commands if each.key == key])
        if _known_otherwise(state, its):
            left.append(key.environment)
            continue
        held = state.take(key.environment, who=who, holder=holder(), purpose=PURPOSE)
        try:
            if _known_otherwise(state, its):
                left.append(key.environment)
                continue
            held = _moved(state, kept, its, held)
            done = state.journal(key.environment).begin_command(who, PURPOSE, now())
            said = f"its record was not what was written: {fault}" if fault else ""
            state.journal(key.environment).end_command(done.id, Outcome.DONE, said, now())
        finally:
            state.release(held)
        moved.append(key.environment)
    return Moved(tuple(moved), tuple(left))


@dataclass(frozen=True, slots=True)
class _Environment:
    """What a machine kept of one. changes, commands: newest first."""

    key: EnvironmentKey
    target: Target | None
    changes: list[Change]
    commands: list[Command]


def _moved(state: State, kept: Store, its: _Environment, held: Held) -> Held:
    """The lock as it was renewed."""
    for digest in _digests(kept, its):
        state.put_blueprint(kept.blueprint(digest))
    for written, _ in enumerate(_recorded(state, its), 1):
        if written % RENEWED_EACH == 0:
            held = state.renew(held)
    return state.put_target(held, its.target) if its.target is not None else held


def _recorded(state: State, its: _Environment) -> Iterator[None]:
    """Each entry as it is written, in the order in which things began; a change names its command's new id."""
    journal = state.journal(its.key.environment)
    known_ids = {_same(command): command.id for command in journal.commands(MOST)}
    known_changes = {_same(change) for change in journal.changes(MOST)}
    ids: dict[int, int] = {}
    for command in reversed(its.commands):
        known = known_ids.get(_same(command))
        ids[command.id] = journal.adopt(command).id if known is None else known
        yield
    for change in reversed(its.changes):
        if _same(change) not in known_changes:
            journal.adopt(replace(change, command=ids.get(change.command, 0)))
        yield


def _known_otherwise(state: State, its: _Environment) -> bool:
    """Whether the bucket says of it what this machine does not know: another operator was there before."""
    target = state.target(its.key.environment)
    if target is not None:
        return target != its.target
    ours = {_same(change) for change in its.changes}
    return any(_same(change) not in ours for change in state.journal(its.key.environment).changes(MOST))


def _same(value: Command | Change) -> object:
    """What makes an entry the same one elsewhere: all but the ids, which each record counts by itself."""
    if isinstance(value, Command):
        return replace(value, id=0)
    return replace(value, id=0, command=0)


def _digests(kept: Store, its: _Environment) -> list[Digest]:
    """The blueprints that the target and the changes name, and those that these came from as far as they are kept."""
    named = [its.target.blueprint if its.target else None]
    named += [digest for change in its.changes for digest in (change.target, change.previous)]
    found: dict[Digest, None] = {}
    while named:
        digest = named.pop()
        if digest is None or digest in found:
            continue
        try:
            parent = kept.blueprint(digest).parent
        except KeyError:
            continue
        found[digest] = None
        named.append(parent)
    return list(found)


def _ours(key: EnvironmentKey, client: str) -> bool:
    return key.client == client and key.engine is EngineName.AWS


def _bounded(what: str, found: Iterable[Kind]) -> list[Kind]:
    listed = list(found)
    if len(listed) > MOST:
        why = f"at most {MOST} are moved, so that nothing is left out unseen"
        raise Problems(Problem(what, f"there are more than {MOST}", why, "Report it: the bound is anden's own."))
    return listed
