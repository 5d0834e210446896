"""Instances in trouble, services below what was contracted, and observations that are missing or old."""

from collections.abc import Iterator, Mapping, Sequence

from anden.assess.sizes import more_memory
from anden.model import zones
from anden.model.blueprint import Blueprint
from anden.model.fargate import cpu_text, memory_text
from anden.model.fault import Fault, Outage
from anden.model.finding import Finding, Severity
from anden.model.ids import ZoneName
from anden.model.mark import Marks, find
from anden.model.observation import Health, InstanceSeen, InstanceState, Observation
from anden.model.topology import Service

STALE_S = 30.0
"""An observation older than this may no longer be true; a healthy control plane makes one every few seconds."""
RECENT_S = 3600.0
"""How long running out of memory stays worth showing after the instance came back."""
TAIL_SHOWN = 4
"""Log lines that a finding carries."""
NAMED_AT_MOST = 4
"""Instances that a zone's finding names."""


def assess(
    blueprint: Blueprint, levels: Mapping[str, int], observation: Observation, marks: Marks, now: float
) -> tuple[Finding, ...]:
    """What is wrong with the instances of `blueprint`, as people read it: the observation first, then by service.

    levels: service to the level asked for. now: Unix seconds. Within a service's grace (`start`) a new instance that is
    not healthy yet is no finding. An instance that nobody asked for is control's business and no finding either.
    """
    if not observation.present:
        return (_not_running(blueprint, observation),)
    found: list[Finding] = [_fault(fault, observation.at) for fault in observation.faults]
    gone = _lost(blueprint, observation)
    found += (_zone(zone, blueprint, observation) for zone in sorted(gone))
    age = now - observation.at
    if age > STALE_S:
        text = f"{age:.0f} s old: what it says may no longer be true"
        found.append(Finding(Severity.WARNING, "observation", text))
    seen: dict[str, list[InstanceSeen]] = {}
    for one in observation.instances:
        seen.setdefault(one.service, []).append(one)
    for service in blueprint.topology.services:
        of = seen.get(service.name, ())
        found += _service(service, [one for one in of if one.zone not in gone], levels, marks, now)
    return tuple(found)


def _lost(blueprint: Blueprint, observation: Observation) -> zones.Lost:
    """One finding for a zone says more than one for each of its instances."""
    topology = blueprint.topology
    listening = {service.name for service in topology.services if service.port is not None}
    return zones.lost(observation.instances, observation.at, listening) if topology.zones > 1 else frozenset()


def _fault(fault: Fault, at: float) -> Finding:
    how = "cut off" if fault.outage is Outage.CUT else "frozen"
    return Finding(
        Severity.WARNING, f"zone {fault.name}", f"{how} by a drill, for {max(fault.until - at, 0.0):.0f} s more"
    )


def _zone(zone: ZoneName, blueprint: Blueprint, observation: Observation) -> Finding:
    there = zones.stranded(observation.instances, frozenset({zone}))
    since = min((one.unhealthy_since for one in there if one.unhealthy_since is not None), default=observation.at)
    names = ", ".join(one.id for one in there[:NAMED_AT_MOST])
    more = f" and {len(there) - NAMED_AT_MOST} more" if len(there) > NAMED_AT_MOST else ""
    text = (
        f"nothing in it answers for {observation.at - since:.0f} s ({names}{more}); others stand in in the zones left"
    )
    return Finding(Severity.TROUBLE, f"zone {zone}", text)


def _not_running(blueprint: Blueprint, observation: Observation) -> Finding:
    reason = observation.absent_reason or "nothing of it is there"
    environment = blueprint.topology.environment
    return Finding(Severity.TROUBLE, environment, f"not running: {reason}", f"anden up -e {environment}")


def _service(
    service: Service, seen: Sequence[InstanceSeen], levels: Mapping[str, int], marks: Marks, now: float
) -> Iterator[Finding]:
    found = [finding for one in seen for finding in _instance(service, one, marks, now)]
    serving = sum(one.serving for one in seen)
    starting = sum(_in_grace(service, one, now) for one in seen)
    level = service.instances.clamp(levels.get(service.name, service.instances.base))
    base = service.instances.base
    if serving < base and serving + starting < base:
        text = f"{serving} of {level} serve, below its base of {base}" if serving else "nothing serves"
        mark = find(marks, f"services/{service.name}/instances")
        yield Finding(Severity.TROUBLE, service.name, text, mark=mark)
    yield from found


def _instance(service: Service, one: InstanceSeen, marks: Marks, now: float) -> Iterator[Finding]:
    subject = f"{one.id} (zone {one.zone})"
    severity = Severity.WARNING if one.serving else Severity.TROUBLE
    last = one.exit
    if last is not None and last.out_of_memory and (not one.serving or now - last.at <= RECENT_S):
        size = service.size
        text = f"out of memory at {memory_text(size.memory_mib)}{_restarts(one)}"
        mark = find(marks, f"services/{service.name}/size/memory")
        yield Finding(severity, subject, text, _larger(service), mark, one.tail[-TAIL_SHOWN:])
        return
    if one.serving or one.state in (InstanceState.DRAINING, InstanceState.STOPPING):
        return
    evidence = one.tail[-TAIL_SHOWN:]
    logs = f"anden logs {service.name}"
    if one.state is InstanceState.RESTARTING:
        how = "could not be started" if last is None else _ended(last.code)
        because = f": {one.answer}" if last is None and one.answer else ""
        yield Finding(severity, subject, f"{how}{_restarts(one)}{because}", logs, evidence=evidence)
    elif one.health is Health.UNHEALTHY and not _in_grace(service, one, now):
        ended = f", {_ended(last.code)} before" if last is not None else ""
        yield Finding(severity, subject, f"{_answer(one)}{ended}{_restarts(one)}", logs, evidence=evidence)
    elif not _in_grace(service, one, now):
        late = f"not healthy {now - one.since:.0f} s after it was started"
        text = f"{'health not known' if one.ever_healthy else late}{_restarts(one)}"
        yield Finding(Severity.WARNING, subject, text, logs, evidence=evidence)


def _in_grace(service: Service, one: InstanceSeen, now: float) -> bool:
    """It was started a moment ago, and nothing speaks against it yet."""
    settling = one.state in (InstanceState.STARTING, InstanceState.RUNNING) and not one.serving and not one.ever_healthy
    return settling and one.restarts == 0 and now - one.since <= service.start_s


def _answer(one: InstanceSeen) -> str:
    if not one.answer:
        return "unhealthy"
    return f"answers {one.answer}" if one.answer.startswith("HTTP") else f"unhealthy: {one.answer}"


def _ended(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exited with {code}"


def _restarts(one: InstanceSeen) -> str:
    if not one.restarts:
        return ""
    return f", {one.restarts} restart" + ("" if one.restarts == 1 else "s")


def _larger(service: Service) -> str:
    """What to write into the manifest: `size.memory: 1 GB`, with the CPU when that must grow too."""
    larger = more_memory(service.size)
    if larger is None:
        return "no size has more memory: use less, or spread it over more instances"
    if larger.cpu_milli == service.size.cpu_milli:
        return f"size.memory: {memory_text(larger.memory_mib)}"
    return f"size: {{ cpu: {cpu_text(larger.cpu_milli)}, memory: {memory_text(larger.memory_mib)} }}"
