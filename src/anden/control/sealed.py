"""Secrets as commands and views meet them: by name and version, and missing or not. No value comes here."""

from collections.abc import Iterator, Mapping

from anden.control import changes
from anden.control.means import Means
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.mark import Marks
from anden.model.problem import Problem
from anden.model.secret import shown
from anden.model.topology import Topology
from anden.planning.secrets import NOTHING, chosen, missing


def versions(
    means: Means, key: EnvironmentKey, topology: Topology, marks: Marks, keeping: Mapping[str, str] = NOTHING
) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """Which version of each secret to use (those in `keeping`, where they are still there), and a problem for each
    that is missing. Raises Problems: they cannot be read."""
    held = means.held(key, topology)
    if held is None:
        return {name: keeping[name] for name in topology.secret_users() if name in keeping}, ()
    return chosen(topology, held, keeping), missing(topology, held, marks, options(key))


def options(key: EnvironmentKey) -> str:
    """What a command needs to mean this environment."""
    on = "" if key.engine is EngineName.LOCAL else f" --on {key.engine}"
    return f" -e {key.environment}{on}"


def replaced(wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Event]:
    """Says which versions are not kept any more, where a blueprint names them and a newer one is taken."""
    for name, version in found.items():
        if (old := wanted.get(name)) and old != version:
            text = f"secret {name}: {shown(old)} is not kept any more, {shown(version)} is taken"
            yield Event(EventKind.NOTE, "", text, "!")


def used(means: Means, key: EnvironmentKey, name: str) -> frozenset[str]:
    """Ids of the versions that what runs names, what it replaces, or what it would go back to by itself."""
    target = means.store.target(key)
    standing = [each for each in changes.standing(means.store, target) if each is not None]
    if (back := changes.fallback(means.store, target)) is not None:
        standing.append(means.store.blueprint(back))
    before = changes.held(means.store, key)[:2]
    standing += [means.store.blueprint(digest) for digest in before]
    return frozenset(each.secrets[name] for each in standing if name in each.secrets)
