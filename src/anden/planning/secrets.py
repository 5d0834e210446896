"""Which version of each secret a blueprint names, and what is missing. Pure."""

from collections.abc import Iterator, Mapping

from anden.model.mark import Marks
from anden.model.problem import Problem
from anden.model.secret import Secret
from anden.model.topology import Topology
from anden.planning.places import where, where_of

NOTHING: Mapping[str, str] = {}


def chosen(topology: Topology, held: Mapping[str, Secret], keeping: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """Name to version of everything that is used and there: the version in `keeping` where that still is, else the
    newest."""
    found = {}
    for name in topology.secret_users():
        if (secret := held.get(name)) is not None:
            kept = secret.version(keeping.get(name, ""))
            found[name] = (kept or secret.newest).id
    return found


def missing(topology: Topology, held: Mapping[str, Secret], marks: Marks, options: str = "") -> tuple[Problem, ...]:
    """A problem for each that is used and not there. options: ` -e production`, as the command that mends it needs
    them."""
    return tuple(_missing(topology, held, marks, options))


def _missing(topology: Topology, held: Mapping[str, Secret], marks: Marks, options: str) -> Iterator[Problem]:
    for name, users in topology.secret_users().items():
        if name in held:
            continue
        link, _, tunnel = users[0].removeprefix("link ").partition(", ")
        path = f"links/{link}/secret" if tunnel else f"services/{users[0]}/secrets"
        place = where_of(topology, marks, path) if tunnel else where(marks, path)
        why = f"{' and '.join(users)} cannot {'rise' if tunnel else 'start'} without it"
        random = " --random" if tunnel else ""
        fix = f"`anden secret set {name}{random}{options}` keeps it; its value comes from stdin or a prompt."
        if tunnel:
            fix = f"`anden secret set {name}{random}{options}` makes one up; without --random it asks for one."
        yield Problem(place, f"there is no secret {name}", why, fix)
