"""Commands and the view of secrets. A value passes through `put`, to be sealed, and is told to nobody."""

import secrets as random
import string
from collections.abc import Callable
from functools import partial

from anden.control import commands, follow, refusals, sealed
from anden.control.asked import Asked
from anden.control.means import Means
from anden.control.reading import compared, meant
from anden.control.record import Ending, Report, Standing, Told, Work, recorded
from anden.model.blueprint import Blueprint
from anden.model.command import Command, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey
from anden.model.ports import Secrets
from anden.model.problem import Problem, Problems
from anden.model.report import SecretsReport
from anden.model.secret import (
    LEAST_RANDOM,
    MOST_BYTES,
    MOST_RANDOM,
    NAME,
    PRE_SHARED_KEY,
    SecretStatus,
    SecretValue,
    shown,
)
from anden.model.topology import Topology

ReportOf = Callable[[EnvironmentKey], Report]
LETTERS = string.ascii_letters + string.digits


def put(
    means: Means, at: Asked, who: str, name: str, value: SecretValue | None, length: int, rotate: bool, report: ReportOf
) -> Told:
    """A new version. value None: one of `length` letters and digits is made up. rotate: what runs takes it now."""
    key = meant(at, means.engine.name, means.store)
    what = f"secret {'rotate' if rotate else 'set'} {name if NAME.fullmatch(name) else '?'}"
    return recorded(means, key, who, what, partial(_put, means, at, key, who, name, value, length, rotate), report(key))


def _put(
    means: Means, at: Asked, key: EnvironmentKey, who: str, name: str, value: SecretValue | None, length: int,
    rotate: bool, command: Command, standing: Standing,
) -> Work:  # fmt: skip
    kept = _secrets(means)
    topologies, running = _topologies(means, at, key)
    if means.alone and (refused := [each for one in topologies for each in refusals.alone(key, one)]):
        raise Problems(refused[0])
    users = _users(topologies, name)
    value = made_up(length) if value is None else value
    if problem := fault(name, value, users):
        raise Problems(problem)
    there = kept.held(key, [name])
    if rotate and name not in there:
        raise Problems(_none(key, name, kept))
    yield from kept.ready(key)
    made = kept.put(key, name, value, who, means.clock.now())
    standing.text = f"{shown(made.id)} is kept, and nothing was restarted"
    kept.prune(key, name, {made.id, *sealed.used(means, key, name)})
    was = there[name].newest.id if name in there else None
    change = f"{shown(was)} → {shown(made.id)}" if was else shown(made.id)
    yield Event(EventKind.NOTE, "", f"secret {name} {change} in {key}", "✓")
    runs = running is not None and name in running.secrets
    if rotate and runs:
        target = means.store.target(key)
        yield follow.heading(key, running.topology.zones if running else 1, manners=target.manners if target else "")
        return (yield from commands.turn(means, key, {name: made.id}, command, standing))
    if runs and running is not None:
        own = ", ".join(running.topology.secret_users().get(name, ()))
        said = f"{own}: {shown(running.secrets[name])} stays until `anden up` or `anden secret rotate {name}`"
        yield Event(EventKind.NOTE, "", said, "…")
    elif not users:
        yield Event(EventKind.NOTE, "", "nothing uses it yet: name it in `secrets:` of a service", "…")
    return Ending(Outcome.DONE)


def remove(means: Means, at: Asked, who: str, name: str, report: ReportOf) -> Told:
    """All versions of a secret that nothing uses."""
    key = meant(at, means.engine.name, means.store)
    what = f"secret remove {name if NAME.fullmatch(name) else '?'}"
    return recorded(means, key, who, what, partial(_remove, means, at, key, name), report(key))


def _remove(means: Means, at: Asked, key: EnvironmentKey, name: str, command: Command, standing: Standing) -> Work:
    kept = _secrets(means)
    topologies, running = _topologies(means, at, key)
    if running is not None and (users := running.topology.secret_users().get(name)):
        why = "who restarts after a failure or a reboot needs it again"
        fix = f"Take it out of the manifest, `anden up{sealed.options(key)}`, then the same again."
        raise Problems(Problem(f"secret {name}", f"{', '.join(users)} uses it", why, fix))
    if name not in kept.held(key, [name]):
        raise Problems(_none(key, name, kept))
    until = kept.remove(key, name)
    yield Event(EventKind.NOTE, "", f"secret {name} is removed from {key}" + (f"; {until}" if until else ""), "✓")
    if users := _users(topologies, name):
        yield Event(EventKind.NOTE, "", f"the manifest still names it: {', '.join(users)}", "!")
    return Ending(Outcome.DONE)


def seal(means: Means, at: Asked, who: str, by: str | None, report: ReportOf) -> Told:
    """Have the key of all of the client's secrets be sealed by a key service's key, or lie in its file (None)."""
    key = meant(at, means.engine.name, means.store)
    return recorded(means, key, who, f"secret seal {by or 'file'}", partial(_seal, means, by), report(key))


def _seal(means: Means, by: str | None, command: Command, standing: Standing) -> Work:
    _secrets(means).seal_by(by)
    where = f"is sealed by {by}" if by else "lies in its file, as it is"
    yield Event(EventKind.NOTE, "", f"the key of all secrets of {command.key.client} {where}", "✓")
    return Ending(Outcome.DONE)


def listing(means: Means, at: Asked) -> SecretsReport:
    """What there is and what is missing, by name. Raises Problems."""
    key = meant(at, means.engine.name, means.store)
    topologies, running = _topologies(means, at, key)
    kept, named = _secrets(means), [name for each in topologies for name in each.secret_users()]
    held = {**kept.held(key), **kept.held(key, named)}  # a list may lag behind, on AWS: what is named is asked for
    names = sorted({*held, *named})
    lines = []
    for name in names:
        users, there = _users(topologies, name), held.get(name)
        runs = running.secrets.get(name) if running is not None else None
        if there is None:
            lines.append(SecretStatus(name, "", "", 0, None, "", users))
            continue
        newest = there.newest
        older = (shown(runs),) if runs and runs != newest.id else ()
        lines.append(
            SecretStatus(name, shown(newest.id), newest.id, len(there.versions), newest.at, newest.who, users, older)
        )
    return SecretsReport(key.client, key.environment, key.engine.value, tuple(lines))


def made_up(length: int) -> SecretValue:
    """Letters and digits, a letter first: fit for a tunnel's key as well. Raises Problems for a length that is not."""
    if not LEAST_RANDOM <= length <= MOST_RANDOM:
        why = f"{LEAST_RANDOM} to {MOST_RANDOM:,} letters and digits are made up"
        raise Problems(Problem("--random", f"{length} is not a length", why, "Leave the length out for 256 bits."))
    first = random.choice(string.ascii_letters)
    return SecretValue(first + "".join(random.choice(LETTERS) for _ in range(length - 1)))


def fault(name: str, value: SecretValue, users: tuple[str, ...]) -> Problem | None:  # noqa: PLR0911 - one return for each fault
    """Why this cannot be kept under this name. Never repeats the value."""
    if not NAME.fullmatch(name):
        why = "a name has 1 to 64 letters, digits, dots, dashes, underscores and slashes, and begins with a letter"
        return Problem("the name of the secret", "it is not one", why, "Use the name that stands in the manifest.")
    where, text = f"secret {name}", value.reveal()
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        why = "variables, files and Secrets Manager take text"
        return Problem(where, "its value is not text in UTF-8", why, "Encode it, for example in base64.")
    if not text:
        return Problem(where, "its value is empty", "what is empty is no secret", "Give it one, or use --random.")
    if "\0" in text:
        return Problem(where, "its value holds a NUL", "no variable of a process can", "Encode it, as in base64.")
    if size > MOST_BYTES:
        what = f"its value is {size:,} bytes long"
        return Problem(where, what, f"{MOST_BYTES:,} bytes are the most, as in Secrets Manager", "Split it.")
    if (tunnels := [user for user in users if user.startswith("link ")]) and not PRE_SHARED_KEY.fullmatch(text):
        why = f"{tunnels[0]} takes 8 to 64 letters, digits, dots and underscores, and no 0 in front"
        return Problem(where, "its value is no key of a tunnel", why, "Use --random, or agree on another one.")
    return None


def _secrets(means: Means) -> Secrets:
    if means.secrets is None:
        what, why = "cannot be asked for here", "this control plane has no place that it may read"
        raise Problems(Problem("secrets", what, why, "Use sudo."))
    return means.secrets


def _topologies(means: Means, at: Asked, key: EnvironmentKey) -> tuple[tuple[Topology, ...], Blueprint | None]:
    """What may name secrets: what runs and what the manifest says; and what runs. The engine learns where it is."""
    target = means.store.target(key)
    running = means.store.blueprint(target.blueprint) if target is not None and target.blueprint is not None else None
    wished = compared(at, key)
    if (place := running.topology if running is not None else wished.topology if wished else None) is not None:
        means.engine.know(place)
    found = ((running.topology,) if running is not None else ()) + ((wished.topology,) if wished is not None else ())
    return found, running


def _users(topologies: tuple[Topology, ...], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(user for each in topologies for user in each.secret_users().get(name, ())))


def _none(key: EnvironmentKey, name: str, kept: Secrets) -> Problem:
    known = ", ".join(kept.held(key)) or "there are none"
    fix = f"`anden secret set {name}{sealed.options(key)}` makes it."
    return Problem(f"secret {name}", f"there is none of this name in {key}", known, fix)
