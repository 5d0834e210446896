"""The life of a change: what is open, what it goes back to, and where a judgement takes it."""

from dataclasses import replace

from anden.control import deployed
from anden.model.blueprint import Blueprint
from anden.model.change import OPEN_STATES, Change, ChangeState, Judgement, Verdict
from anden.model.ids import Digest, EnvironmentKey
from anden.model.ports import Store, Target

MOST_LOOKED_AT = 100
"""How many changes back a blueprint that held is searched for."""


def latest(store: Store, key: EnvironmentKey) -> Change | None:
    """The newest change, open or ended."""
    return next(iter(store.changes(key, 1)), None)


def open_of(store: Store, key: EnvironmentKey) -> Change | None:
    """The change in flight. Only the newest can be open: opening one supersedes the one before."""
    change = latest(store, key)
    return change if change is not None and change.state in OPEN_STATES else None


def held(store: Store, key: EnvironmentKey) -> tuple[Digest, ...]:
    """Blueprints that once ran as they should, the latest first, each once."""
    found: dict[Digest, None] = {}
    for change in store.changes(key, MOST_LOOKED_AT):
        if change.state is ChangeState.VERIFIED:
            found.setdefault(change.target)
        elif change.state is ChangeState.ROLLED_BACK and change.previous is not None:
            found.setdefault(change.previous)
    return tuple(found)


def fallback(store: Store, target: Target | None) -> Digest | None:
    """What a new change would go back to: what the one in flight goes back to, else the target if it ever held."""
    if target is None or target.blueprint is None:
        return None
    change = open_of(store, target.key)
    if change is not None and change.target == target.blueprint and change.previous is not None:
        return change.previous
    return target.blueprint if target.blueprint in held(store, target.key) else None


def remembering(store: Store, before: Target | None, fresh: Target) -> Target:
    """`fresh` with the levels and generations of services that run, or that a change in flight may bring back. One that
    has gone for good begins at its base when it returns."""
    if before is None:
        return fresh
    digests = {before.blueprint, fallback(store, before)}
    names = {service.name for digest in digests if digest for service in store.blueprint(digest).topology.services}
    levels = {name: level for name, level in fresh.levels.items() if name in names}
    return replace(fresh, levels=levels, generations={n: each for n, each in fresh.generations.items() if n in names})


def replacing(target: Target, change: Change | None) -> Digest | None:
    """What a change in flight replaces and may still be running."""
    if change is None or change.state not in OPEN_STATES:
        return None
    other = change.previous if change.state is ChangeState.APPLYING else change.target
    return other if other != target.blueprint else None


def replaced(store: Store, target: Target, change: Change | None) -> Blueprint | None:
    """The same as a blueprint: planning's `keeping`."""
    other = replacing(target, change)
    return store.blueprint(other) if other is not None else None


def standing(store: Store, target: Target | None) -> tuple[Blueprint | None, Blueprint | None]:
    """What a new blueprint is drafted after: the target's, and the one that is on its way out beside it. Of an
    environment that is being taken down the last one may be there still: whoever comes back keeps off its addresses."""
    if target is None:
        return None, None
    if target.blueprint is None:
        change = latest(store, target.key)
        return None, store.blueprint(change.target) if change is not None else None
    return store.blueprint(target.blueprint), replaced(store, target, open_of(store, target.key))


def mended(store: Store, target: Target, at: float) -> tuple[Target, Change | None]:
    """The open change and a target that agrees with it, whatever was written when the control plane died."""
    change = open_of(store, target.key)
    if change is None:
        return target, None
    if change.state is ChangeState.ROLLING_BACK and target.blueprint != change.previous:
        return _back(store, target, change), change
    if change.state is ChangeState.APPLYING and target.blueprint != change.target:
        reason = "the control plane ended before it was acknowledged"
        store.move_change(change.id, ChangeState.SUPERSEDED, at, reason)
        return target, None
    return target, change


def judged(store: Store, target: Target, change: Change, judgement: Judgement, at: float) -> tuple[Target, Change]:
    """Move the change on as the judgement says; the target goes back with it."""
    reason, evidence = judgement.reason, judgement.evidence
    if judgement.verdict is Verdict.CONTINUE:
        return target, change
    if change.state is ChangeState.ROLLING_BACK:
        return target, _returned(store, change, judgement, at)
    if judgement.verdict is Verdict.VERIFIED:
        return target, store.move_change(change.id, ChangeState.VERIFIED, at, reason, evidence)
    if change.previous is None:
        return target, store.move_change(change.id, ChangeState.FAILED, at, reason, evidence)
    change = store.move_change(change.id, ChangeState.ROLLING_BACK, at, reason, evidence)
    return _back(store, target, change), change


def _returned(store: Store, change: Change, judgement: Judgement, at: float) -> Change:
    """The end of going back. Why it went back stays, and what is amiss still is added."""
    evidence = (*change.evidence, *judgement.evidence)
    if judgement.verdict is Verdict.FAILED:
        reason = f"{change.reason}; then going back failed too: {judgement.reason}"
        return store.move_change(change.id, ChangeState.FAILED, at, reason, evidence)
    if not judgement.reason:
        return store.move_change(change.id, ChangeState.ROLLED_BACK, at)
    reason = f"{change.reason}; {judgement.reason}"
    return store.move_change(change.id, ChangeState.ROLLED_BACK, at, reason, evidence)


def _back(store: Store, target: Target, change: Change) -> Target:
    """The target as it was before the change: its blueprint and what was deployed. Levels stay."""
    if change.previous is None:
        return target
    before = store.blueprint(change.previous)
    back = replace(target, blueprint=change.previous, deployed=deployed.overlay(before))
    store.put_target(back)
    return back
