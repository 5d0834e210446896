"""Connections that are really tried, each from where its service stands: one-off tasks of its debug definition, in its
security group and in the subnet of the instance's zone (docs/decisions/0024).

A task ends with its tries, at its time, and when whoever asked leaves; see engines.aws.debug.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from anden.engines.aws import debug, tries
from anden.engines.aws.errors import explained
from anden.engines.aws.session import Session
from anden.engines.aws.way_out import WaysOut
from anden.model.ids import EnvironmentKey, InstanceId
from anden.model.observation import InstanceSeen, Observation
from anden.model.ports import Clock, Exec
from anden.model.problem import Problem, Problems
from anden.model.reach import Probe, Probed, ProbeKind, Seen

MOST_A_TASK = 20
"""Tries of one task: what fits in a task's overrides (debug.MOST_OVERRIDES) with the longest names that there are."""
MOST_TASKS = 100
LINK = "link:"
"""What a caller on the other side of a link begins with."""
AT_ONCE = 10
"""Tasks: half of what an account may launch in a second (ECS, "AWS Fargate throttling quotas")."""
MARGIN_S = 30.0
"""Beyond the tries' own limit, for the program that makes them to begin."""
Run = Generator[list[Probed] | None, None, None]
"""One task: None while it is under way, then what its probes saw. Closed, it is stopped."""


@dataclass(frozen=True, slots=True)
class Asked:
    """who: for whom, as the record has it. seen: what runs. services: names that are those of services, be there an
    instance of one or not. poll_s: between two looks at the tasks."""

    key: EnvironmentKey
    region: str
    who: str
    seen: Observation
    services: frozenset[str]
    poll_s: float


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where tasks start for one service in one zone. subnet, network: its id and its addresses."""

    service: str
    subnet: str
    network: str
    found: dict[str, Any]


def probe(session: Session, clock: Clock, asked: Asked, probes: Sequence[Probe]) -> tuple[Probed, ...]:
    """In the order of the probes; what could not be tried is UNTRIED, and says why. Raises Problems."""
    instances = {each.id: each for each in asked.seen.instances}
    _check(instances, probes)
    done = {
        number: Probed(each, Seen.UNTRIED, note="what begins at the client's side is tried there")
        for number, each in enumerate(probes)
        if each.caller.startswith(LINK)
    }
    done |= {
        number: Probed(each, Seen.UNTRIED, note=f"no instance of {each.host} serves")
        for number, each in enumerate(probes)
        if number not in done
        and each.host in asked.services
        and not any(one.serving for one in asked.seen.of(each.host))
    }
    ways = WaysOut(session, asked.region)
    left = [(number, each) for number, each in enumerate(probes) if number not in done]
    batches = list(_batches(session, asked, instances, left))
    if len(batches) > MOST_TASKS:
        what = f"{len(batches)} tasks are too many to start for it"
        raise Problems(Problem(str(asked.key), what, f"at most {MOST_TASKS}", "Name the caller or the callee."))
    for at in range(0, len(batches), AT_ONCE):
        some = batches[at : at + AT_ONCE]
        runs = [_run(session, clock, asked, origin, [probes[number] for number in numbers]) for origin, numbers in some]
        for (origin, numbers), said in zip(some, _together(clock, asked.poll_s, runs), strict=True):
            for number, one in zip(numbers, said, strict=True):
                leaves = one.seen is Seen.OPEN and one.probe.host not in asked.services
                way = ways.of(origin.subnet, origin.network, one.probe.host) if leaves else None
                done[number] = one if way is None else _by(one, way.by, way.given)
    return tuple(done[number] for number in range(len(probes)))


def _by(one: Probed, by: str, given: str) -> Probed:
    return Probed(one.probe, one.seen, took_s=one.took_s, note=one.note, by=by, given=given)


def _check(instances: Mapping[InstanceId, InstanceSeen], probes: Sequence[Probe]) -> None:
    inside = {InstanceId(each.caller) for each in probes if not each.caller.startswith(LINK)}
    if unknown := sorted(inside - instances.keys()):
        raise Problems(Problem(unknown[0], "there is no such instance", "", "`anden status` lists them."))
    if any(each.kind is ProbeKind.PING for each in probes):
        why = "a Fargate task has no right to raw sockets"
        raise Problems(Problem("ping", "cannot be tried on AWS", why, "Try a TCP port."))


def _batches(
    session: Session,
    asked: Asked,
    instances: Mapping[InstanceId, InstanceSeen],
    probes: Sequence[tuple[int, Probe]],
) -> Iterator[tuple[_Origin, list[int]]]:
    """Numbers of probes that one task tries. Raises Problems."""
    places: dict[tuple[str, str], list[int]] = {}
    for number, each in probes:
        one = instances[InstanceId(each.caller)]
        places.setdefault((str(one.service), str(one.zone)), []).append(number)
    for (service, zone), numbers in places.items():
        origin = _origin(session, asked, service, zone)
        for at in range(0, len(numbers), MOST_A_TASK):
            yield origin, numbers[at : at + MOST_A_TASK]


def _origin(session: Session, asked: Asked, service: str, zone: str) -> _Origin:
    found = debug.service(session, asked.key, asked.region, service)
    network = found["networkConfiguration"]["awsvpcConfiguration"]
    with explained(f"service {service}"):
        subnets = session.client("ec2", asked.region).describe_subnets(SubnetIds=network["subnets"])["Subnets"]
    for each in subnets:
        if each["AvailabilityZone"].endswith(zone):
            there = {"awsvpcConfiguration": {**network, "subnets": [each["SubnetId"]]}}
            return _Origin(service, each["SubnetId"], each["CidrBlock"], {**found, "networkConfiguration": there})
    why = f"its subnets are {', '.join(sorted(network['subnets']))}"
    raise Problems(Problem(f"service {service}", f"has no subnet in zone {zone}", why, "Look again: `anden status`."))


class _Unhurried:
    """The clock, for one task among many: they are waited for together."""

    def __init__(self, clock: Clock) -> None:
        self.now, self.monotonic = clock.now, clock.monotonic

    def sleep(self, seconds: float) -> None:
        """Somebody else waits."""


def _run(session: Session, clock: Clock, asked: Asked, origin: _Origin, probes: Sequence[Probe]) -> Run:
    hosts = [_host(asked, each.host) for each in probes]
    planned = [tries.Try(host, each.port, tries.limit_s(each)) for each, (host, _) in zip(probes, hosts, strict=True)]
    limit_s = max(each.limit_s for each in planned) + MARGIN_S
    wish = debug.Wish(asked.key, asked.region, origin.service, tries.argv(planned), asked.who, limit_s)
    run = debug.run(session, _Unhurried(clock), wish, origin.found, asked.poll_s)
    under_way = cast("Generator[Exec | None, None, None]", run)  # closed, it stops its task
    try:
        for gave in under_way:
            if gave is not None:
                yield list(_answered(probes, [note for _, note in hosts], gave))
                return
            yield None
    except Problems as found:
        yield [Probed(each, Seen.UNTRIED, note=str(found.problems[0])) for each in probes]
    finally:
        under_way.close()


def _host(asked: Asked, host: str) -> tuple[str, str]:
    """What to dial. A service's name is Service Connect's, which no one-off task has: an instance of it is dialled, as
    Service Connect does, and the group in front of it is the same."""
    if host not in asked.services:
        return host, ""
    serving = next(each for each in asked.seen.of(host) if each.serving)
    return str(serving.address), f"dialled {serving.id} at {serving.address}"


def _answered(probes: Sequence[Probe], notes: Sequence[str], gave: Exec) -> Iterator[Probed]:
    found = tries.answers(gave.stdout)
    if tries.NOTHING in gave.stdout:
        why = f"its image has none of {tries.TOOLS} to try with"
    elif gave.stderr:
        why = f"its task said nothing of it: {gave.stderr.strip().removeprefix('! ')}"
    else:
        why = f"its task ended with {gave.code} and said nothing of it"
    for number, (each, note) in enumerate(zip(probes, notes, strict=True)):
        if number in found:
            yield Probed(each, found[number].seen, took_s=found[number].took_s, note=note)
        else:
            yield Probed(each, Seen.UNTRIED, note=why)


def _together(clock: Clock, poll_s: float, runs: Sequence[Run]) -> list[list[Probed]]:
    """What each gives, all of them under way at once; should it be cut off, all are closed."""
    said: dict[int, list[Probed]] = {}
    try:
        while len(said) < len(runs):
            for number, each in enumerate(runs):
                if number not in said and (gave := next(each)) is not None:
                    said[number] = gave
            if len(said) < len(runs):
                clock.sleep(poll_s)
    finally:
        for each in runs:
            each.close()
    return [said[number] for number in range(len(runs))]
