"""What can be asked without changing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from anden.assess import alarms, revivals
from anden.assess import images as inspected
from anden.assess import issuers as issued
from anden.assess import links as linked
from anden.assess import refused as vain
from anden.assess import stacks as stacked
from anden.assess.instances import assess
from anden.control import changes, deployed, follow, paths, refusals, sealed
from anden.control.asked import Asked
from anden.control.drafts import after
from anden.control.keeping import kept
from anden.control.means import Means
from anden.control.reading import Wish, compared, meant, wish
from anden.control.record import UP
from anden.control.rollouts import rehearsal
from anden.control.urls import secured, url
from anden.model import codec
from anden.model.approval import SavedPlan
from anden.model.blueprint import Blueprint, Facts
from anden.model.command import RESTORED, Outcome
from anden.model.event import Event
from anden.model.finding import Finding, Severity
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.image import ImageScan
from anden.model.issuer import Known
from anden.model.manners import BY_NAME, TWIN
from anden.model.mark import Marks
from anden.model.observation import InstanceSeen, Observation
from anden.model.plan import Action, Difference, Step
from anden.model.ports import Target
from anden.model.problem import Problem, Problems
from anden.model.refused import RefusedReport
from anden.model.report import InstanceStatus, PlanReport, ServiceStatus, StatusReport
from anden.model.topology import Service, Topology
from anden.planning import approval
from anden.planning import issuers as issuing
from anden.planning import refused as refusing
from anden.planning.difference import differences
from anden.planning.instances import level
from anden.planning.lint import lint

MOST_LOOKED_AT = 50
"""Commands that are searched for what the control plane did by itself."""
COMPARED_LONG_AGO_S = 600.0
"""A plan for a productive environment finds out what was changed by hand where nobody has for this long."""


def status(means: Means, at: Asked, drift: bool = False) -> StatusReport:
    """What is, seen now. drift: find out first what was changed by hand, which may take minutes."""
    key = meant(at, means.engine.name, means.store)
    if drift:
        means.look(key)
        means.engine.compare(key, means.clock.now())
    return status_of(means, at, key)


def status_of(means: Means, at: Asked, key: EnvironmentKey) -> StatusReport:
    """The same for an environment that is known to be meant."""
    target, seen, trouble = means.store.target(key), *_seen(means, key)
    wished = compared(at, key)
    if target is None or target.blueprint is None:
        ending = target is not None or (seen is not None and seen.present)
        reason = "it is being taken down" if ending else "not running"
        return StatusReport(
            key.client, key.environment, key.engine.value, False, reason, None, None, seen.at if seen else None,
            wished.topology.zones if wished else 0, None, (), change=changes.latest(means.store, key),
            kept=kept(seen),
        )  # fmt: skip
    blueprint = means.store.blueprint(target.blueprint)
    said = follow.marks(target)
    beside = deployed.overlay(blueprint)
    now = means.clock.now()
    present = seen is not None and seen.present
    manners = BY_NAME[target.manners]
    findings = assess(blueprint, target.levels, seen, said, now, manners) if seen is not None else ()
    findings += revivals.assess(means.store.commands(key, MOST_LOOKED_AT), now)
    if seen is not None and (stacks := means.engine.stacks(blueprint, None, target.generations)):
        findings += stacked.assess(stacks, seen, changes.open_of(means.store, key) is not None)
        findings += inspected.assess(seen)
    findings += alarms.assess(seen.alarms) if seen is not None and present else ()
    if present:
        findings += _tried_in_vain(means, key, blueprint, said)
        findings += linked.assess(seen.links) if seen is not None else ()
        findings += issued.assess(blueprint.topology, target.issuers, now) if means.issuers is not None else ()
    findings = (*_restored(means, key), *findings)
    return StatusReport(
        client=key.client,
        environment=key.environment,
        engine=key.engine.value,
        running=present,
        reason=trouble or ("" if present else _absent(target, seen)),
        blueprint=blueprint.digest,
        matches_manifest=None if wished is None else _matches(wished, blueprint) and not beside,
        seen_at=seen.at if seen else None,
        zones=blueprint.topology.zones,
        gateway=(seen.gateway if seen and seen.present else None) or target.gateway or None,
        services=_services(blueprint, target, seen),
        findings=findings,
        deployed=(*_deployed(blueprint, beside), *_levels(blueprint, target)),
        change=changes.latest(means.store, key),
        manners=target.manners,
        faults=seen.faults if seen is not None and present else (),
        processes=seen.processes if seen is not None and present else {},
        traffic=seen.traffic if seen is not None and present else {},
        compared_at=_compared_at(seen) if seen is not None and present else None,
        gateway_tls=(secure := seen.gateway_tls if seen is not None and present else None),
        https=secured(secure, blueprint.topology.domain),
        links=seen.links if seen is not None and present else (),
        kept=kept(seen),
    )


def _compared_at(seen: Observation) -> float | None:
    """When the stack that was compared first was compared; None: one was not, or there are none."""
    looked = [one.looked_at for one in seen.stacks]
    return min((at for at in looked if at is not None), default=None) if None not in looked else None


def _seen(means: Means, key: EnvironmentKey) -> tuple[Observation | None, str]:
    """What is now; when that cannot be told, what was seen last and why."""
    try:
        return means.look(key), ""
    except Problems as found:
        return means.store.observation(key), str(found.problems[0])


def _restored(means: Means, key: EnvironmentKey) -> tuple[Finding, ...]:
    """That the records are a copy's, until a command has said again what should be."""
    for command in means.store.commands(key, MOST_LOOKED_AT):
        if command.what == RESTORED:
            fix = "`anden up` says again what should run; `anden history` shows what is on record."
            return (Finding(Severity.WARNING, "the records", command.detail, fix),)
        if command.what == UP and command.outcome is Outcome.DONE:
            break
    return ()


def _absent(target: Target, seen: Observation | None) -> str:
    if seen is None:
        return "never seen"
    if target.boot and seen.boot and target.boot != seen.boot:
        return "not running since boot"
    return seen.absent_reason or "not running"


def _matches(wished: Wish, blueprint: Blueprint) -> bool:
    same = codec.digest(wished.topology) == codec.digest(blueprint.topology)
    return same and wished.overrides == blueprint.overrides


def _services(blueprint: Blueprint, target: Target, seen: Observation | None) -> tuple[ServiceStatus, ...]:
    present = seen is not None and seen.present
    instances: dict[str, list[InstanceSeen]] = {}
    for one in seen.instances if seen is not None and present else ():
        instances.setdefault(one.service, []).append(one)
    gateway = seen.gateway if seen is not None and present else None
    return tuple(
        _service(each, blueprint, target, instances.get(each.name, ()), gateway) for each in blueprint.topology.services
    )


def _service(
    service: Service, blueprint: Blueprint, target: Target, instances: Sequence[InstanceSeen], gateway: str | None
) -> ServiceStatus:
    wanted = level(service, target.levels)
    healthy = sum(one.serving for one in instances)
    routed = gateway and service.route and service.route.host is None
    return ServiceStatus(
        name=service.name,
        healthy=healthy,
        level=wanted,
        base=service.instances.base,
        max=service.instances.max,
        image=blueprint.images[service.name].version,
        health="healthy" if healthy >= wanted else "degraded" if healthy else "down",
        instances=tuple(
            InstanceStatus(
                one.id, one.zone, str(one.address), one.image_name, one.state.value, one.health.value, one.restarts,
                one.since, one.memory_bytes,
            )
            for one in instances
        ),
        url=url(gateway, service.route.path) if gateway and routed and service.route else None,
        auth=service.route.auth if service.route else None,
    )  # fmt: skip


def _deployed(blueprint: Blueprint, beside: Mapping[str, str]) -> tuple[Difference, ...]:
    said = {str(service.name): deployed.written(service.source) for service in blueprint.topology.services}
    return tuple(
        Difference(Action.UPDATE, name, f"{said[name]} → {image}", None, "deployed beside the manifest")
        for name, image in beside.items()
    )


def _levels(blueprint: Blueprint, target: Target) -> tuple[Difference, ...]:
    found = []
    for service in blueprint.topology.services:
        now = level(service, target.levels)
        if now != service.instances.base:
            text = f"level {service.instances.base} → {now}"
            found.append(Difference(Action.UPDATE, service.name, text, None, f"scaled, within {service.instances}"))
    return tuple(found)


def plan(means: Means, at: Asked, prepare: bool = False) -> PlanReport:
    """What `up` would do, without images that are not there yet (their digests are presumed). prepare: for approval:
    images are resolved, and what can be prepared is."""
    wished = wish(at, means.engine.name)
    key, topology, marks = wished.key, wished.topology, wished.marks
    target = means.store.target(key)
    current, replaced = changes.standing(means.store, target)
    problems: list[Problem] = []
    unread: tuple[Problem, ...] = ()
    try:
        if current is None:
            means.engine.know(topology)
        seen = means.look(key)
        if topology.production and seen.stacks:
            means.engine.compare(key, means.clock.now() - COMPARED_LONG_AGO_S)
            seen = means.look(key)
        facts = means.engine.facts(key, topology.zones, topology)
    except Problems as found:
        # An engine that cannot be asked can still be planned for, from nothing. On AWS that is the ordinary case of
        # somebody without credentials who wants to know what it would be; `up` refuses then.
        unread = tuple(found.problems)
        seen, facts = Observation(key, means.clock.now(), present=False), Facts()
    manners = BY_NAME[target.manners] if target else TWIN
    sources = {str(service.name): service.source for service in topology.services}
    images = means.images.presume(at.folder, sources)
    if prepare:
        resolved = means.images.resolve(at.folder, sources)
        images = dict(each for each in resolved if not isinstance(each, Event))
    fetched, amiss = _issuers(means, topology, target, marks)
    caveats = means.caveats(topology, fetched)
    problems += refusals.refusals(key.engine, topology, marks, caveats)
    problems += refusals.alone(key, topology) if means.alone else ()
    versions: Mapping[str, str] = {}
    try:
        versions, lacking = sealed.versions(means, key, topology, marks)
        problems += lacking
    except Problems as found:
        unread = (*unread, *found.problems)
    report = PlanReport(
        key.client,
        key.environment,
        key.engine.value,
        current.digest if current else None,
        None,
        (),
        (),
        caveats,
        (),
        (),
        manners.name,
        kept=kept(seen),
    )
    try:
        drafted = after(current, replaced, seen, topology, images, facts, marks, wished.overrides, versions)
    except Problems as found:
        return replace(report, problems=(*problems, *unread, *found.problems))
    linted = lint(drafted, marks)
    foresight = means.engine.foresee(drafted, current, marks)
    keeping = current if current is not None and current.digest != drafted.digest else None
    known = changes.remembering(means.store, target, target) if target else None  # as `up` will
    levels, generations = (known.levels, known.generations) if known else ({}, {})
    try:
        steps = rehearsal(means.engine, key, drafted, levels, generations, keeping, manners, seen, fetched)
        by_stacks = bool(means.engine.stacks(drafted, None, generations))
    except Problems as found:
        # What no template can say: this engine's own rules, beside those that hold for all. Foresight knows where the
        # manifest says it.
        return replace(report, problems=(*problems, *linted.problems, *(foresight.problems or found.problems)))
    scans, unscanned = ((), ()) if unread else _scans(means, key, drafted)
    planned = replace(
        report,
        scans=scans,
        target=drafted.digest,
        differences=_noted(differences(current, drafted, marks), current),
        steps=steps,
        warnings=(*unread, *unscanned, *by_hand(seen), *linted.warnings) if by_stacks else (*amiss, *linted.warnings),
        problems=(*problems, *(() if by_stacks else unread), *linted.problems, *foresight.problems),
        foresight=foresight,
    )
    if not prepare or planned.problems or unread:
        return replace(planned, problems=(*planned.problems, *(unread if prepare else ())))
    return replace(planned, saved=_prepared(means, key, drafted.digest, steps))


def _issuers(
    means: Means, topology: Topology, target: Target | None, marks: Marks
) -> tuple[Known, tuple[Problem, ...]]:
    """What is known of those whose keys are fetched, asked for where it is due, and what is amiss with them."""
    known = means.fetching.known(topology, target)
    return known, issuing.troubles(topology, known, marks)


def _scans(
    means: Means, key: EnvironmentKey, blueprint: Blueprint
) -> tuple[tuple[ImageScan, ...], tuple[Problem, ...]]:
    """And why there are none, for a plan: they decide nothing."""
    try:
        return means.engine.scans(key, blueprint), ()
    except Problems as found:
        return (), found.problems


def _prepared(means: Means, key: EnvironmentKey, blueprint: Digest, steps: Sequence[Step]) -> SavedPlan:
    ready, later = approval.preparable(steps)
    made = means.engine.preview(key, ready)
    return SavedPlan(key.client, key.environment, key.engine.value, blueprint, made, later)


def by_hand(seen: Observation) -> tuple[Problem, ...]:
    """What was changed by hand, for a plan: it decides nothing."""
    why = "it is not what its template says any more"
    fix = "`up` asks: --yes keeps it, --revert puts it back."
    return tuple(
        Problem(f"stack {one.family}", f"changed by hand: {stacked.listed(one.drifted)}", why, fix)
        for one in seen.stacks
        if one.drifted
    )


def _noted(found: tuple[Difference, ...], current: Blueprint | None) -> tuple[Difference, ...]:
    """Differences that undo a deployment say so."""
    beside = deployed.overlay(current) if current is not None else {}
    note = "deployed beside the manifest: `up` asks"
    versions = {name: f"{current.images[name].version} → " for name in beside} if current is not None else {}
    return tuple(
        replace(each, note=", ".join(filter(None, (each.note, note))))
        if each.subject in beside and each.text.startswith(versions[each.subject])
        else each
        for each in found
    )


def refused(means: Means, at: Asked, since_s: float | None = None) -> RefusedReport:
    """What services tried and were refused, by the names of what runs."""
    key, blueprint, marks = paths.described(means, at, running=True)
    now = means.clock.now()
    since = None if since_s is None else now - since_s
    placed = key.engine is not EngineName.AWS
    rows = refusing.named(blueprint, marks, means.engine.refused(key), since, placed=placed)
    caveats = means.engine.refused_caveats()
    return RefusedReport(key.client, key.environment, key.engine.value, now, since, rows, caveats)


def _tried_in_vain(means: Means, key: EnvironmentKey, blueprint: Blueprint, marks: Marks) -> tuple[Finding, ...]:
    """None where the engine cannot say, or not at once: that is no trouble of the environment's."""
    if means.engine.refused_caveats():
        return ()
    try:
        attempts = means.engine.refused(key)
    except Problems:
        return ()
    return vain.assess(refusing.named(blueprint, marks, attempts), means.clock.now())


def instance_of(means: Means, key: EnvironmentKey, name: str) -> str:
    """The instance of that name, or the first healthy one of the service of that name. Raises Problems."""
    seen = means.look(key)
    if seen.instance(name) is not None:
        return name
    of = seen.of(name)
    healthy = next((one for one in of if one.serving), None)
    if healthy is not None:
        return healthy.id
    if of:
        what, why = f"no instance of {name} is healthy", f"{', '.join(one.id for one in of)} are there"
        raise Problems(Problem(name, what, why, "Name the instance itself."))
    known = ", ".join(one.id for one in seen.instances)
    raise Problems(Problem(name, "there is no such instance or service", known, "`anden status` lists them."))
