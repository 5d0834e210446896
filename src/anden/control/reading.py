"""From what was asked to the environment that is meant, and to what its manifest says."""

from dataclasses import dataclass, replace
from difflib import get_close_matches

from anden import manifest
from anden.control.asked import Asked
from anden.manifest import patches
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.mark import Marks
from anden.model.override import Override
from anden.model.ports import Store
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology


@dataclass(frozen=True, slots=True)
class Wish:
    """What the manifest says of one environment."""

    key: EnvironmentKey
    topology: Topology
    marks: Marks
    overrides: tuple[Override, ...] = ()


def wish(at: Asked, engine: EngineName) -> Wish:
    """The manifest's word. Raises Problems: there is none, it is wrong, it has no such environment, or it is another
    client's."""
    if at.manifest is None:
        fix = "Stand in the manifest's folder, or say which with -C."
        raise Problems(Problem(f"{at.folder / at.file}", "there is no manifest", "", fix))
    read = manifest.read(at.manifest, at.file, client=at.client, keys=at.keys.get)
    if read.client != at.client:
        what = f"the manifest is of client {read.client}"
        why = f"this control plane is {at.client}'s, and clients share nothing"
        raise Problems(Problem(f"client ({at.file})", what, why, "Ask that client's control plane."))
    environment = at.environment or read.default_environment()
    if environment not in read.topologies:
        names = ", ".join(read.environments)
        close = get_close_matches(environment, read.environments, n=1)
        fix = f"Did you mean {close[0]}?" if close else "Choose one of these with -e."
        raise Problems(Problem(f"environment {environment}", "the manifest has none of this name", names, fix))
    key = EnvironmentKey(at.client, environment, engine)
    patched = patches.read(at.overrides, environment, read.environments)
    return Wish(key, read.topologies[environment], {**read.marks[environment], **patched.marks}, patched.overrides)


def meant(at: Asked, engine: EngineName, store: Store) -> EnvironmentKey:
    """The environment that a command without need of a manifest is about. Raises Problems when that is not clear."""
    if at.environment is not None:
        return EnvironmentKey(at.client, at.environment, engine)
    if at.manifest is not None:
        try:
            return wish(at, engine).key
        except Problems:
            # A manifest that is being edited must not keep anybody from looking at what runs.
            if not _known(at, engine, store):
                raise
    known = _known(at, engine, store)
    chosen = known if len(known) == 1 else [key for key in known if not _production(store, key)]
    if not chosen:
        what = "it is not clear which environment is meant" if known else "nothing runs"
        names = ", ".join(key.environment for key in known)
        fix = "Say which with -e." if known else "Start it with `anden up`, or say which is meant with -e."
        raise Problems(Problem(at.client, what, names, fix))
    return chosen[0]


def compared(at: Asked, key: EnvironmentKey) -> Wish | None:
    """The manifest's word on `key`, to compare with what runs; None when there is no manifest that can be read."""
    if at.manifest is None:
        return None
    try:
        found = wish(at, key.engine)
    except Problems:
        return None
    if found.key == key:
        return found
    try:
        return wish(replace(at, environment=key.environment), key.engine)
    except Problems:
        return None


def _known(at: Asked, engine: EngineName, store: Store) -> list[EnvironmentKey]:
    return [target.key for target in store.targets() if target.key.client == at.client and target.key.engine is engine]


def _production(store: Store, key: EnvironmentKey) -> bool:
    target = store.target(key)
    return target is not None and target.blueprint is not None and store.blueprint(target.blueprint).topology.production
