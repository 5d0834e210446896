"""Who reaches whom, and from which address: computed, and really tried."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from anden.control import egress, follow, hops, incoming, probing
from anden.control.asked import Asked
from anden.control.drafts import after
from anden.control.means import Means
from anden.control.reading import meant, wish
from anden.model.blueprint import Blueprint
from anden.model.change import ChangeState
from anden.model.ids import EnvironmentKey
from anden.model.issuer import NOBODY
from anden.model.mark import Marks
from anden.model.observation import Observation
from anden.model.plan import Caveat
from anden.model.problem import Problem, Problems
from anden.model.reach import Path, Probe, Probed
from anden.model.report import EgressProof, EgressReport, IncomingProof, LinksReport, ReachReport
from anden.planning import reachability

MOST_PROBES = 2_000
"""Connections that one request tries; the matrix of 40 services."""


def reach(
    means: Means, at: Asked, caller: str | None, callee: str | None, port: int | None, live: bool, who: str = ""
) -> ReachReport:
    """One path, a row, a column, or the whole matrix; of what runs, else of what the manifest says."""
    key, blueprint, marks = described(means, at, running=live)
    caveats = _caveats(means, key, blueprint)
    paths: Sequence[Path]
    if caller is not None and callee is not None:
        paths = (reachability.path(blueprint, caller, callee, port, marks, caveats),)
    else:
        _check_names(blueprint, caller, callee)
        paths = [
            path
            for path in reachability.matrix(blueprint, marks, caveats)
            if caller in (None, path.caller) and callee in (None, path.callee) and port in (None, path.port)
        ]
    paths = tuple(means.engine.explain(blueprint, path, marks) for path in paths) if caller and callee else tuple(paths)
    probed: Sequence[Probed] = ()
    stops: tuple[tuple[bool | None, ...], ...] = ()
    if live:
        paths, probed, stops = _tried(means, key, blueprint, paths, who)
    return ReachReport(key.client, key.environment, key.engine.value, tuple(paths), tuple(probed), stops)


def described(means: Means, at: Asked, *, running: bool) -> tuple[EnvironmentKey, Blueprint, Marks]:
    """The environment that runs; one that only a manifest describes when it need not run."""
    key = meant(at, means.engine.name, means.store)
    target = means.store.target(key)
    if target is not None and target.blueprint is not None:
        return key, means.store.blueprint(target.blueprint), follow.marks(target)
    if running:
        raise Problems(Problem(str(key), "nothing runs", "", f"Start it with `anden up -e {key.environment}`."))
    wished = wish(at, means.engine.name)
    images = means.images.presume(at.folder, {each.name: each.source for each in wished.topology.services})
    facts = means.engine.facts(key, wished.topology.zones, wished.topology)
    drafted = after(None, None, None, wished.topology, images, facts, wished.marks, wished.overrides)
    return key, drafted, wished.marks


def _check_names(blueprint: Blueprint, caller: str | None, callee: str | None) -> None:
    services = {service.name for service in blueprint.topology.services}
    known = services | {place.name for place in blueprint.topology.destinations}
    callers = services | set(reachability.callers(blueprint))
    wrong = [name for name in (caller,) if name is not None and name not in callers]
    wrong += [name for name in (callee,) if name is not None and name not in known]
    if wrong:
        names = ", ".join(sorted(known))
        raise Problems(
            [Problem(name, "there is nothing of this name", names, "Choose one of these.") for name in wrong]
        )


def _tried(
    means: Means, key: EnvironmentKey, blueprint: Blueprint, paths: Sequence[Path], who: str
) -> tuple[Sequence[Path], Sequence[Probed], tuple[tuple[bool | None, ...], ...]]:
    """Each path from one instance of its caller, and what was seen of each hop; paths whose caller has no instance are
    left out. Of one path to a service its instance is tried as well, past its name, and in one go: a try may cost the
    start of a task."""
    seen = means.look(key)
    probes = [(path, probe) for path in paths if (probe := _probe(blueprint, seen, path)) is not None]
    if not probes:
        why = "a path is tried from a running instance of its caller"
        raise Problems(Problem(str(key), "nothing can be tried", why, "`anden status` shows what runs."))
    if len(probes) > MOST_PROBES:
        what = f"{len(probes):,} paths are too many to try at once"
        raise Problems(Problem(str(key), what, f"at most {MOST_PROBES:,}", "Name the caller or the callee."))
    asked, past = [probe for _, probe in probes], _past_the_name(seen, probes)
    found = probing.probed(means, key, who, "reach --live", [*asked, *past])
    tried, answers = [path for path, _ in probes], found[: len(asked)]
    if past:
        return tried, answers, (hops.seen(tried[0], answers[0], blueprint, seen, found[-1]),)
    return tried, answers, hops.each(tried, answers, blueprint, seen)


def _past_the_name(seen: Observation, probes: Sequence[tuple[Path, Probe]]) -> list[Probe]:
    """Of the only path, when it leads to a service, one to an instance of it: none otherwise."""
    if len(probes) != 1:
        return []
    ((path, probe),) = probes
    others = (each for each in seen.of(path.callee) if each.serving and each.id != probe.caller)
    return [Probe(probe.caller, str(other.address), path.port) for other in islice(others, 1)]


def _probe(blueprint: Blueprint, seen: Observation, path: Path) -> Probe | None:
    link = next((each for each in blueprint.topology.links if each.caller == path.caller), None)
    if link is not None:
        return next(iter(incoming.dials(blueprint, link, path).values()), None)
    inside = next((one for one in seen.of(path.caller) if one.serving), None)
    place = blueprint.topology.destination(path.callee)
    if inside is None or path.port == reachability.NO_PORT:
        return None
    if blueprint.topology.service(path.callee) is not None:
        return Probe(inside.id, path.callee, path.port)
    if place is None:
        return None
    return Probe(inside.id, egress.host_of(place), path.port, listen=True)


def prove_egress(means: Means, at: Asked, who: str = "") -> EgressReport:
    """Declared addresses against those that the other side sees."""
    key, blueprint, marks = described(means, at, running=True)
    proofs = _proved(means, key, who, "prove egress", egress.questions(*_asking(means, key, blueprint, marks)))
    return EgressReport(key.client, key.environment, key.engine.value, means.clock.now(), proofs, _since(means, key))


def prove_links(means: Means, at: Asked, who: str = "") -> LinksReport:
    """The same of what lies behind links, and their tunnels. Raises Problems: none is declared."""
    key, blueprint, marks = described(means, at, running=True)
    if not blueprint.topology.links:
        raise Problems(Problem(str(key), "declares no link", "", "`links:` of the manifest declares them."))
    behind = {place.name for place in blueprint.topology.destinations if place.link is not None}
    asked = [each for each in egress.questions(*_asking(means, key, blueprint, marks)) if each.destination in behind]
    proofs = _proved(means, key, who, "prove links", asked)
    since, seen = _since(means, key), means.look(key)
    let_in = _dialled(means, key, who, blueprint, marks)
    now = means.clock.now()
    return LinksReport(key.client, key.environment, key.engine.value, now, proofs, seen.links, since, let_in)


def _dialled(
    means: Means, key: EnvironmentKey, who: str, blueprint: Blueprint, marks: Marks
) -> tuple[IncomingProof, ...]:
    """What begins on the other side, tried from there."""
    asked = list(incoming.questions(blueprint, marks, _caveats(means, key, blueprint)))
    probes = _bounded(key, [probe for _, probe in asked if probe is not None])
    tried = probing.probed(means, key, who, "prove links", probes) if probes else ()
    answers = {probed.probe: probed for probed in tried}
    found = []
    for proof, probe in asked:
        verdict, reason = incoming.verdict(proof, answers.get(probe) if probe is not None else None)
        found.append(replace(proof, verdict=verdict, reason=reason))
    return tuple(found)


def _asking(
    means: Means, key: EnvironmentKey, blueprint: Blueprint, marks: Marks
) -> tuple[Blueprint, Observation, Marks, tuple[Caveat, ...]]:
    return blueprint, means.look(key), marks, _caveats(means, key, blueprint)


def _caveats(means: Means, key: EnvironmentKey, blueprint: Blueprint) -> tuple[Caveat, ...]:
    target = means.store.target(key)
    return means.caveats(blueprint.topology, target.issuers if target is not None else NOBODY)


def _proved(
    means: Means, key: EnvironmentKey, who: str, what: str, asked: Sequence[egress.Question]
) -> tuple[EgressProof, ...]:
    probes = _bounded(key, [question.probe for question in asked if question.probe is not None])
    tried = probing.probed(means, key, who, what, probes) if probes else ()
    answers = {probed.probe: probed for probed in tried}
    return tuple(egress.proof(question, answers) for question in asked)


def _bounded(key: EnvironmentKey, probes: list[Probe]) -> list[Probe]:
    """Raises Problems: too many."""
    if len(probes) > MOST_PROBES:
        many = f"{len(probes):,} paths are too many to try at once"
        raise Problems(Problem(str(key), many, f"at most {MOST_PROBES:,}"))
    return probes


def _since(means: Means, key: EnvironmentKey) -> float | None:
    """When what is declared became what is applied."""
    change = next(iter(means.store.changes(key, 1)), None)
    return change.updated_at if change is not None and change.state is ChangeState.VERIFIED else None
