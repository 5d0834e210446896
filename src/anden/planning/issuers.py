"""Issuers whose keys are fetched: whom to ask and when, and what an answer makes of what is known.

A blueprint names the issuer and not its keys, so a key that is rotated is no new version of anything: it keeps the
blueprint's name, and is another configuration of the gateway. What is known stands beside the target (model.ports).
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from anden.model.blueprint import Blueprint
from anden.model.issuer import Answer, Fetched, Known
from anden.model.mark import Marks
from anden.model.problem import Problem
from anden.model.topology import Topology, VerifyingKey
from anden.planning.places import where_of

REFRESH_S = 600.0
"""An issuer is asked again after this long."""
SOONER_S = 30.0
"""The same when a token came by a key of its that nobody knows: whoever sends such tokens has it asked so often."""
SPREAD = 0.1
"""By so much of it later at most, so that many environments do not ask all at once."""
MOST_NAMED = 5
"""Keys that a sentence names."""


def keyed(topology: Topology, known: Known) -> Topology:
    """With the keys that were fetched; those of a file stay. An issuer that is not known has none."""
    if not known:
        return topology
    return replace(
        topology,
        auth=tuple(
            replace(each, keys=known[each.issuer].keys) if each.keys_file is None and each.issuer in known else each
            for each in topology.auth
        ),
    )


def keyed_blueprint(blueprint: Blueprint, known: Known) -> Blueprint:
    """The same of a blueprint, whose name stays."""
    topology = keyed(blueprint.topology, known)
    return blueprint if topology == blueprint.topology else replace(blueprint, topology=topology)


def due(issuers: Iterable[str], known: Known, now: float, strangers: Collection[str] = ()) -> tuple[str, ...]:
    """Those that are to be asked now; a clock that was set back asks as well. strangers: issuers of whom a token came
    by a key that is not known."""
    return tuple(
        each
        for each in sorted(issuers)
        if (of := known.get(each)) is None
        or not now < of.again <= now + REFRESH_S * (1.0 + SPREAD)
        or (each in strangers and now - of.asked >= SOONER_S)
    )


def answered(before: Fetched | None, answer: Answer, now: float, jitter: float) -> Fetched:
    """What is known after an answer. now: when it was asked for. jitter: 0 to 1. Keys that were good stay until better
    ones come, however long that takes: an issuer that is down must not lock everybody out."""
    before, again = before or Fetched(), now + REFRESH_S * (1.0 + SPREAD * jitter)
    if isinstance(answer, Problem):
        since = now if before.failing is None else before.failing
        return replace(before, asked=now, again=again, failing=since, problem=answer)
    return Fetched(answer, now, now, again)


def merged(now: Known, before: Known, found: Known) -> dict[str, Fetched]:
    """What is known, with what was found by somebody who knew `before` when they asked. Where somebody else has found
    something meanwhile, that stays: it is seconds old as well, and by the clock nobody can tell who asked last."""
    return {**now, **{issuer: each for issuer, each in found.items() if now.get(issuer) == before.get(issuer)}}


def rotated(before: Fetched | None, now: Fetched) -> str:
    """What changed, in words: `new: b (1f0c9a42); gone: a (77d3e0b1)`, with the beginnings of their SHA-256; empty: the
    keys are the same."""
    was, is_ = {each.id: each for each in before.keys} if before else {}, {each.id: each for each in now.keys}
    groups = {
        "new": [key for name, key in is_.items() if name not in was],
        "gone": [key for name, key in was.items() if name not in is_],
        "other by the same id": [key for name, key in is_.items() if name in was and was[name] != key],
    }
    return "; ".join(f"{word}: {_listed(keys)}" for word, keys in groups.items() if keys)


def troubles(topology: Topology, known: Known, marks: Marks) -> tuple[Problem, ...]:
    """What a plan or `up` says of issuers that did not answer as they should; it goes on all the same."""
    wanted, found = topology.fetched_issuers(), []
    for each in topology.auth:
        of = known.get(each.issuer)
        if each.keys_file is not None or each.issuer not in wanted or of is None or of.problem is None:
            continue
        what = "its keys cannot be fetched: its routes answer 503"
        if of.at is not None:
            what = f"no newer keys can be fetched: those of {moment(of.at)} stay"
        why = f"{of.problem.where}: {of.problem.what}" + (f", {of.problem.why}" if of.problem.why else "")
        found.append(Problem(where_of(topology, marks, f"auth/{each.name}"), what, why, of.problem.fix))
    return tuple(found)


def moment(at: float) -> str:
    """`2026-11-27 03:38:00 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _listed(keys: list[VerifyingKey]) -> str:
    more = len(keys) - MOST_NAMED
    named = (f"{each.id} ({hashlib.sha256(each.pem.encode()).hexdigest()[:8]})" for each in keys[:MOST_NAMED])
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
