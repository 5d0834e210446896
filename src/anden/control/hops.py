"""What a live probe says of each hop of a path. Pure."""

from collections.abc import Sequence

from anden.model.blueprint import Blueprint
from anden.model.observation import Observation
from anden.model.reach import Path, Probed, Seen

PASSED = frozenset({Seen.OPEN, Seen.REFUSED})
"""The other end was there, whatever it said."""


def seen(
    path: Path, probed: Probed, blueprint: Blueprint, observation: Observation, direct: Probed | None = None
) -> tuple[bool | None, ...]:
    """For each hop: passed, stopped, or None where this probe says nothing of it.

    direct: of a path to a service, a probe of the same port at the address of one of its instances, past the name.
    """
    resolved, through = probed.seen is not Seen.UNRESOLVED, probed.seen in PASSED
    past = direct is not None and direct.seen in PASSED
    inside = direct is not None or blueprint.topology.service(path.callee) is not None
    answers: dict[str, bool | None] = {
        "firewall": (through or past) if resolved or past else None,
        # Inside, the balancer is behind the name: where only the instance itself answers, it is that which fails.
        "name": resolved if not inside or through or not resolved else (False if past else None),
        "route": True if through else None,
        "tunnel": True if through else None,
        "balancer": through,
        "destination": probed.seen is Seen.OPEN,
        "nat": _left(probed, blueprint, observation),
    }
    found = [answers.get(hop.kind) for hop in path.hops]
    if path.hops and path.hops[0].kind == "tunnel":
        found[0] = True if through else None  # silence does not say whether a tunnel or the wall behind it is silent
    if path.hops and path.hops[0].kind == "instance":
        caller = observation.instance(probed.probe.caller)
        found[0] = caller is not None and caller.serving
    if len(found) > 1 and path.hops[-1].kind == "instance":
        found[-1] = (direct if direct is not None else probed).seen is Seen.OPEN
    return tuple(found)


def _left(probed: Probed, blueprint: Blueprint, observation: Observation) -> bool | None:
    """Whether the other side saw the address that is declared for the caller's zone."""
    caller = observation.instance(probed.probe.caller)
    if probed.source is None or caller is None:
        return None
    return blueprint.facts.leaves_from(caller.zone) in (None, probed.source)


def each(
    paths: Sequence[Path], probed: Sequence[Probed], blueprint: Blueprint, observation: Observation
) -> tuple[tuple[bool | None, ...], ...]:
    """For paths and their probes, in the same order."""
    return tuple(seen(path, one, blueprint, observation) for path, one in zip(paths, probed, strict=True))
