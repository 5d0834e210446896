"""The commands that move a target, each a generator of what it tells. They say what should be; ticks make it so."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from anden.assess.stacks import listed
from anden.control import changes, deployed, follow, issuers, keeping, refusals, sealed
from anden.control.asked import Asked
from anden.control.drafts import after
from anden.control.means import Means
from anden.control.reading import Wish, meant, wish
from anden.control.record import UP, Ending, Report, Standing, Told, Work, recorded
from anden.control.rollouts import way
from anden.control.views import COMPARED_LONG_AGO_S
from anden.model import codec
from anden.model.approval import SavedPlan
from anden.model.blueprint import Blueprint
from anden.model.change import ChangeState
from anden.model.command import Command, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey, short
from anden.model.image import Image
from anden.model.issuer import NOBODY
from anden.model.manners import BY_NAME, TWIN
from anden.model.mark import Marks, find
from anden.model.observation import Observation
from anden.model.ports import Target
from anden.model.problem import Problem, Problems
from anden.model.stack import StackSeen
from anden.model.topology import ImageSource, Service, Topology
from anden.planning import approval
from anden.planning.issuers import merged
from anden.planning.lint import lint

ASK, KEEP, REVERT = "ask", "keep", "revert"
"""What to do with images that were deployed beside the manifest."""

BESIDE, HAND = "deployed beside the manifest", "changed by hand"
BESIDE_CHOICES = {
    KEEP: "keep what was deployed, and take everything else from the manifest",
    REVERT: "take the images from the manifest too",
}
HAND_CHOICES = {
    KEEP: "keep what was changed by hand or deployed, and take everything else from the manifest",
    REVERT: "put back what was changed by hand, and take the images from the manifest too",
}

DOWN, DOWN_RELEASE = "down", "down --release"

ReportOf = Callable[[EnvironmentKey], Report]


def up(
    means: Means, at: Asked, who: str, gateway: str | None, choice: str, adopt: bool, manners: str | None,
    report: ReportOf, approved: SavedPlan | None = None,
) -> Told:  # fmt: skip
    """Make the environment what its manifest says. manners: a name of model.manners; None keeps those it has.
    approved: exactly this is done, or nothing."""
    wished = wish(at, means.engine.name)
    if manners is not None and manners not in BY_NAME:
        names = ", ".join(BY_NAME)
        raise Problems(Problem(f"--as {manners}", "there are no manners of this name", names, "Choose one of these."))
    body = partial(_up, means, at, wished, gateway, choice, adopt, manners, approved)
    return recorded(means, wished.key, who, UP, body, report(wished.key))


def _up(
    means: Means, at: Asked, wished: Wish, gateway: str | None, choice: str, adopt: bool, manners: str | None,
    approved: SavedPlan | None, command: Command, standing: Standing,
) -> Work:  # fmt: skip
    key, topology = wished.key, wished.topology
    _refuse_alone(means, key, topology)
    target, seen = means.store.target(key), _compared(means, key, topology)
    _check_folder(target, at, adopt)
    _check_gateway(target, seen, gateway)
    refused = refusals.refusals(key.engine, topology, wished.marks, means.caveats(topology))
    versions, lacking = sealed.versions(means, key, topology, wished.marks)
    if refused or lacking:
        raise Problems((*refused, *lacking))
    own = manners or (target.manners if target else TWIN.name)
    yield follow.heading(key, topology.zones, manners=own)
    known = means.fetching.known(topology, target, anew=True)
    yield from issuers.told(topology, target.issuers if target else {}, known, wished.marks)
    beside = deployed.beside(topology, target.deployed if target else {})
    by_hand = [one for one in seen.stacks if one.drifted]
    if by_hand and choice == ASK:
        yield _question(_drifted(by_hand), HAND, HAND_CHOICES)
        return Ending(Outcome.REFUSED, "it waits for a decision: keep what was changed by hand, or put it back")
    if beside and choice == ASK:
        yield _question(deployed.said(topology, beside), BESIDE, BESIDE_CHOICES)
        return Ending(Outcome.REFUSED, "it waits for a decision: keep what was deployed, or revert to the manifest")
    if by_hand:
        yield Event(EventKind.NOTE, choice, _drifted(by_hand), "~")
        if choice == REVERT:
            means.reconciler.mending.add(key)
    if beside:
        yield Event(EventKind.NOTE, choice, deployed.said(topology, beside), "~")
    kept = beside if choice == KEEP else {}
    listening = _claimed(means, key, target, gateway)  # before anything slow: a port may be a stranger's
    images = yield from _resolve(means, at, deployed.sources(topology, kept))
    if idle := refusals.without_command(topology, images, wished.marks):
        raise Problems(idle)
    blueprint = _draft(means, target, seen, wished, images, versions)
    yield from _linted(blueprint, wished.marks)
    _foreseen(means, target, blueprint, wished.marks)
    _pinned(means, key, blueprint, approved)
    # What this machine invents or leaves out is for `plan`; what stays shut although it was declared is said here too.
    for caveat in means.caveats(topology, known):
        if caveat.withholds:
            yield Event(EventKind.NOTE, caveat.engine.value, f"{caveat.subject}: {caveat.text}", "≠")
    marks = codec.to_json(dict(wished.marks))
    fresh = Target(key, blueprint.digest, str(at.folder), listening, {}, {}, kept, marks, manners=own, issuers=known)
    if target is not None:
        fresh = replace(fresh, levels=target.levels, generations=target.generations)
    return (yield from _move(means, target, fresh, blueprint, seen, command, standing))


def deploy(means: Means, at: Asked, who: str, service: str, image: str, report: ReportOf) -> Told:
    """Another image for a service, beside the manifest."""
    key = meant(at, means.engine.name, means.store)
    what = f"deploy {service} {image}"
    return recorded(means, key, who, what, partial(_deploy, means, key, service, image), report(key))


def _deploy(means: Means, key: EnvironmentKey, service: str, image: str, command: Command, standing: Standing) -> Work:
    target, current = _running(means, key)
    _check_service(current, service)
    versions, lacking = sealed.versions(means, key, current.topology, follow.marks(target), current.secrets)
    if lacking:
        raise Problems(lacking)
    yield follow.heading(key, current.topology.zones, manners=target.manners)
    at = Asked(key.client, key.environment, follow.folder(target))
    found = yield from _resolve(means, at, {service: ImageSource(image=image)})
    seen = means.observe(key)
    wished = Wish(key, current.topology, follow.marks(target), current.overrides)
    if idle := refusals.without_command(current.topology, found, wished.marks):
        raise Problems(idle)
    blueprint = _draft(means, target, seen, wished, {**current.images, **found}, versions)
    _foreseen(means, target, blueprint, wished.marks)
    fresh = replace(target, blueprint=blueprint.digest, deployed=deployed.overlay(blueprint))
    return (yield from _move(means, target, fresh, blueprint, seen, command, standing))


def rollback(means: Means, at: Asked, who: str, report: ReportOf) -> Told:
    """Back to the blueprint that held before the present one."""
    key = meant(at, means.engine.name, means.store)
    return recorded(means, key, who, "rollback", partial(_rollback, means, key), report(key))


def _rollback(means: Means, key: EnvironmentKey, command: Command, standing: Standing) -> Work:
    target, current = _running(means, key)
    under_way = changes.open_of(means.store, key)
    if under_way is not None and under_way.state is ChangeState.ROLLING_BACK:
        why = under_way.reason
        raise Problems(Problem(str(key), f"it is going back to {short(current.digest)} already", why, "Wait for it."))
    before = next((digest for digest in changes.held(means.store, key) if digest != target.blueprint), None)
    if before is None:
        why = f"{short(current.digest)} is the only blueprint that ever held here"
        raise Problems(
            Problem(str(key), "there is nothing to go back to", why, "Change the manifest, then `anden up`.")
        )
    blueprint = means.store.blueprint(before)
    versions, lacking = sealed.versions(means, key, blueprint.topology, follow.marks(target), blueprint.secrets)
    if lacking:
        raise Problems(lacking)
    yield follow.heading(key, blueprint.topology.zones, f"{short(current.digest)} → {short(before)}", target.manners)
    # What the account lacks is not asked for here: it has held what is gone back to, and the way back stays open.
    yield from sealed.replaced(blueprint.secrets, versions)
    blueprint = replace(blueprint, secrets=versions)
    known = means.fetching.known(blueprint.topology, target)
    yield from issuers.told(blueprint.topology, target.issuers, known, follow.marks(target))
    fresh = replace(target, blueprint=blueprint.digest, deployed=deployed.overlay(blueprint), issuers=known)
    return (yield from _move(means, target, fresh, blueprint, means.observe(key), command, standing))


def scale(means: Means, at: Asked, who: str, service: str, level: int, report: ReportOf) -> Told:
    """Another level for a service, within its range."""
    key = meant(at, means.engine.name, means.store)
    what = f"scale {service} {level}"
    return recorded(means, key, who, what, partial(_scale, means, key, service, level), report(key))


def _scale(means: Means, key: EnvironmentKey, service: str, level: int, command: Command, standing: Standing) -> Work:
    target, current = _running(means, key)
    found = _check_service(current, service)
    if level not in found.instances:
        mark = find(follow.marks(target), f"services/{service}/instances")
        place = f" ({mark})" if mark else ""
        raise Problems(
            Problem(
                f"services/{service}/instances{place}",
                f"{level} is outside of {found.instances}",
                "the range is what was contracted",
                f"Choose {found.instances.base} to {found.instances.max}, or edit instances{place} and run `anden up`.",
            )
        )
    yield follow.heading(key, current.topology.zones, manners=target.manners)
    if level > target.levels.get(service, found.instances.base):  # fewer always hold
        _foreseen(means, target, current, follow.marks(target))
    with means.reconciler.writing(key):
        target = _still(means, key)
        moved = means.retarget(target, means.observe(key).boot, levels={**target.levels, service: level})
    standing.acknowledge()
    return (yield from follow.settled(means, moved, current))


def restart(means: Means, at: Asked, who: str, service: str | None, report: ReportOf) -> Told:
    """Replace the instances of a service, or of all, by new ones of the same version; rolling."""
    key = meant(at, means.engine.name, means.store)
    what = f"restart {service}" if service else "restart"
    return recorded(means, key, who, what, partial(_restart, means, key, service), report(key))


def _restart(means: Means, key: EnvironmentKey, service: str | None, command: Command, standing: Standing) -> Work:
    target, current = _running(means, key)
    names = [_check_service(current, service).name] if service else [each.name for each in current.topology.services]
    yield follow.heading(key, current.topology.zones, manners=target.manners)
    _foreseen(means, target, current, follow.marks(target))
    with means.reconciler.writing(key):
        target = _still(means, key)
        bumped = dict(target.generations) | {str(name): target.generations.get(name, 0) + 1 for name in names}
        moved = means.retarget(target, means.observe(key).boot, generations=bumped)
    standing.acknowledge()
    return (yield from follow.settled(means, moved, current))


def down(means: Means, at: Asked, who: str, release: bool, report: ReportOf) -> Told:
    """End the environment and leave nothing of it but the record, and what outlives it. release: that goes too."""
    try:
        key = meant(at, means.engine.name, means.store)
    except Problems:
        if at.environment is None and at.manifest is None:
            return follow.nothing_runs(at.client)
        raise
    return recorded(
        means, key, who, DOWN_RELEASE if release else DOWN, partial(_down, means, key, release), report(key)
    )


def _down(means: Means, key: EnvironmentKey, release: bool, command: Command, standing: Standing) -> Work:
    target, seen = means.store.target(key), None
    if target is not None and target.blueprint is not None:
        _refuse_alone(means, key, means.store.blueprint(target.blueprint).topology)
    if release or target is None:
        seen = means.observe(key)
        if release and not any(one.kept is not None for one in seen.stacks):
            yield Event(EventKind.NOTE, "release", f"nothing of {key} is kept: there is nothing to release", "")
            release = False
    if target is None and seen is not None:
        if not seen.present and not release:
            yield Event(EventKind.NOTE, "", f"{key}: nothing runs", "")
            yield from keeping.told(key, seen)
            return Ending(Outcome.DONE, "nothing runs")
        # The records know nothing of it, and it is there: it goes all the same.
        target = Target(key, None, "", seen.gateway or "", {}, {}, {})
    assert target is not None  # noqa: S101 - for mypy: it was seen where there was none
    yield follow.heading(key, None, manners=target.manners)
    with means.reconciler.writing(key):
        open_change = changes.open_of(means.store, key)
        if open_change is not None:
            means.store.move_change(open_change.id, ChangeState.SUPERSEDED, means.clock.now(), "taken down")
        means.store.put_target(replace(target, blueprint=None))
        if release:
            means.reconciler.releasing.add(key)
    standing.acknowledge()
    return (yield from follow.gone(means, key, command))


def turn(means: Means, key: EnvironmentKey, versions: Mapping[str, str], command: Command, standing: Standing) -> Work:
    """What runs, with other versions of its secrets: whatever uses them is replaced, rolling."""
    target, current = _running(means, key)
    blueprint = replace(current, secrets={**current.secrets, **versions}, parent=current.digest)
    fresh = replace(target, blueprint=blueprint.digest)
    return (yield from _move(means, target, fresh, blueprint, means.observe(key), command, standing))


# What they share.


def _move(
    means: Means, before: Target | None, fresh: Target, blueprint: Blueprint, seen: Observation, command: Command,
    standing: Standing,
) -> Work:  # fmt: skip
    """Acknowledge `fresh` as the target, and follow it to its end."""
    key = fresh.key
    same = before is not None and before.blueprint == fresh.blueprint
    if not same or not seen.present:
        yield from means.engine.prepare(key, blueprint)
    with means.reconciler.writing(key):
        # A tick may have rolled back meanwhile: what counts is the target as it is now.
        now = means.store.target(key)
        under_way = changes.open_of(means.store, key)
        stays = now is not None and now.blueprint == fresh.blueprint
        fresh = changes.remembering(means.store, now, fresh)
        known, knew = (each.issuers if each is not None else NOBODY for each in (now, before))
        fresh = replace(fresh, issuers=merged(known, knew, fresh.issuers))
        means.fetching.record(key, known, fresh.issuers)
        held = fresh.blueprint in changes.held(means.store, key)
        idle = stays and held and under_way is None and _settled(means, fresh, blueprint)
        change = under_way if stays else None
        if under_way is not None and under_way.state is ChangeState.APPLYING and under_way.previous == fresh.blueprint:
            # Back to where the change in flight came from: it turns round, and what it has replaced serves meanwhile.
            reason = f"turned back by `{command.what}`"
            change = means.store.move_change(under_way.id, ChangeState.ROLLING_BACK, means.clock.now(), reason)
        elif change is None and not idle:
            previous = changes.fallback(means.store, now)
            means.store.put_blueprint(blueprint)
            change = means.store.open_change(
                key, blueprint.digest, previous if previous != blueprint.digest else None, command.id, means.clock.now()
            )
        moved = means.retarget(fresh, seen.boot)
    standing.acknowledge()
    if change is None:
        means.runner.signal(key)
        yield Event(EventKind.NOTE, "", "nothing to do: what runs is what should run", "✓")
        return Ending(Outcome.DONE)
    if under_way is not None and change.id == under_way.id:
        how = "goes on with" if change is under_way else "turns round"
        yield Event(EventKind.NOTE, "", f"{how} change {change.id}, which is under way", "…")
    if change.state is ChangeState.ROLLING_BACK:
        # It goes back to the very blueprint that is asked for: to be there is what was asked.
        return (yield from follow.settled(means, moved, blueprint))
    return (yield from follow.changed(means, moved, blueprint, change, seen))


def _settled(means: Means, target: Target, blueprint: Blueprint) -> bool:
    """What runs is what should run, seen just now."""
    manners = BY_NAME[target.manners]
    its = way(means.engine, target.key, blueprint, target.levels, target.generations, None, manners, target.issuers)
    return its.plan(means.observe(target.key), mend=target.key in means.reconciler.mending).settled


def _resolve(
    means: Means, at: Asked, sources: Mapping[str, ImageSource]
) -> Generator[Event | None, None, dict[str, Image]]:
    images = {}
    for found in means.images.resolve(at.folder, sources):
        if isinstance(found, Event):
            yield found
        else:
            images[found[0]] = found[1]
    return images


def _draft(
    means: Means, target: Target | None, seen: Observation, wished: Wish, images: Mapping[str, Image],
    versions: Mapping[str, str],
) -> Blueprint:  # fmt: skip
    current, replaced = changes.standing(means.store, target)
    facts = means.engine.facts(wished.key, wished.topology.zones, wished.topology)
    return after(current, replaced, seen, wished.topology, images, facts, wished.marks, wished.overrides, versions)


def _linted(blueprint: Blueprint, marks: Marks) -> Generator[Event, None, None]:
    """Say what is doubtful. Raises Problems for what cannot work."""
    found = lint(blueprint, marks)
    if found.problems:
        raise Problems(found.problems)
    for warning in found.warnings:
        yield Event(EventKind.NOTE, warning.where, f"{warning.what}; {warning.why}".rstrip("; "), "!", problem=warning)


def _compared(means: Means, key: EnvironmentKey, topology: Topology) -> Observation:
    """What is; where it is productive, with what was changed by hand: its change sets would put that back."""
    if means.store.target(key) is None:
        means.engine.know(topology)
    seen = means.observe(key)
    if topology.production and seen.stacks:
        means.engine.compare(key, means.clock.now() - COMPARED_LONG_AGO_S)
        seen = means.observe(key)
    return seen


def _pinned(means: Means, key: EnvironmentKey, blueprint: Blueprint, approved: SavedPlan | None) -> None:
    """Raises Problems: it is not what was approved, or that cannot be done any more."""
    if approved is not None and (other := approval.mismatch(approved, key, blueprint.digest)) is not None:
        raise Problems(other)
    means.engine.pin(key, approved.prepared if approved is not None else ())


def _foreseen(means: Means, target: Target | None, blueprint: Blueprint, marks: Marks) -> None:
    """Raises Problems for what is certain not to hold, before anything is made."""
    current, _ = changes.standing(means.store, target)
    if found := means.engine.foresee(blueprint, current, marks).problems:
        raise Problems(found)


def _question(text: str, subject: str, choices: Mapping[str, str]) -> Event:
    return Event(EventKind.QUESTION, subject, text, "!", choices=dict(choices))


def _drifted(stacks: Sequence[StackSeen]) -> str:
    """`network: RouteA, RouteB`."""
    return "; ".join(f"{one.family}: {listed(one.drifted)}" for one in stacks)


def _claimed(means: Means, key: EnvironmentKey, target: Target | None, gateway: str | None) -> str:
    """The gateway's address: the one that it has, while it has one."""
    if target is not None and target.blueprint is not None and gateway in (None, target.gateway):
        return target.gateway
    taken = {other.gateway: str(other.key) for other in means.store.targets() if other.key != key and other.gateway}
    return means.engine.claim(key, gateway, taken)


def _check_folder(target: Target | None, at: Asked, adopt: bool) -> None:
    if target is None or target.blueprint is None or adopt or target.folder == str(at.folder):
        return
    recorded_in = follow.folder(target)
    if recorded_in.is_dir():
        what, why = f"its manifest lies in {recorded_in}", f"`up` from {at.folder} would take it over"
        fix = "Run it there, or take it over with --adopt; -e names another environment."
        raise Problems(Problem(str(target.key), what, why, fix))


def _check_gateway(target: Target | None, seen: Observation, gateway: str | None) -> None:
    if gateway is None or not seen.present or target is None or target.gateway == gateway:
        return
    what, why = f"it listens on {target.gateway} already", "it moves only while nothing runs"
    raise Problems(Problem(f"gateway {gateway}", what, why, "Leave --gateway out, or run `anden down` first."))


def _running(means: Means, key: EnvironmentKey) -> tuple[Target, Blueprint]:
    target = means.store.target(key)
    if target is None or target.blueprint is None:
        raise Problems(Problem(str(key), "nothing runs", "", f"Start it with `anden up -e {key.environment}`."))
    current = means.store.blueprint(target.blueprint)
    _refuse_alone(means, key, current.topology)
    return target, current


def _refuse_alone(means: Means, key: EnvironmentKey, topology: Topology) -> None:
    if means.alone and (refused := refusals.alone(key, topology)):
        raise Problems(refused)


def _still(means: Means, key: EnvironmentKey) -> Target:
    """The target as it is now; a tick may have moved it back since it was looked at."""
    return _running(means, key)[0]


def _check_service(current: Blueprint, name: str) -> Service:
    found = current.topology.service(name)
    if found is None:
        names = ", ".join(service.name for service in current.topology.services)
        raise Problems(Problem(name, "there is no service of this name", names, "Choose one of these."))
    return found
