"""Commands on a link's tunnels, and the twin's data centre on the other side. Both are on record."""

from collections.abc import Callable
from functools import partial
from string import hexdigits

from anden.control import invitations_to_aws
from anden.control.asked import Asked
from anden.control.means import Means
from anden.control.reading import meant
from anden.control.record import Ending, Report, Standing, Told, Work, recorded
from anden.model import codec
from anden.model.command import Command, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import LONGEST_S, SHORTEST_S, WIRE_KEY_BYTES, Rehearsal
from anden.model.problem import Problem, Problems
from anden.model.secret import PRE_SHARED_KEY
from anden.model.topology import Link
from anden.planning.invitations import MEET, MOST_PORT, when

ReportOf = Callable[[EnvironmentKey], Report]


def turn(means: Means, at: Asked, who: str, name: str, tunnel: int | None, up: bool, report: ReportOf) -> Told:
    """Raise a tunnel that was lowered, or lower it and leave it so; all of the link's, when none is named."""
    key = meant(at, means.engine.name, means.store)
    which = "" if tunnel is None else f", tunnel {tunnel}"
    what = f"link {'up' if up else 'down'} {name}{which}"
    return recorded(means, key, who, what, partial(_turn, means, key, name, tunnel, up), report(key))


def _turn(
    means: Means, key: EnvironmentKey, name: str, tunnel: int | None, up: bool, command: Command, standing: Standing
) -> Work:
    means.engine.turn_link(key, name, tunnel, up)
    which = "its tunnels" if tunnel is None else f"tunnel {tunnel}"
    said = f"link {name}: {which} {'rise again' if up else 'stay down until `anden link up`'}"
    yield Event(EventKind.NOTE, "", said, "✓")
    return Ending(Outcome.DONE)


def invite(
    means: Means, at: Asked, who: str, name: str, rehearsal: Rehearsal | None, report: ReportOf
) -> Told:  # fmt: skip
    """Have who holds the invitation be the other side of a link, until it ends; None: nobody any more. What is recorded
    says until when, and holds no key. What was issued for its public key is told as the data of an event."""
    key = meant(at, means.engine.name, means.store)
    what = f"link invite {name}, until {when(rehearsal.until)}" if rehearsal is not None else f"link invite {name}, end"
    return recorded(means, key, who, what, partial(_invite, means, key, name, rehearsal), report(key))


def _invite(
    means: Means, key: EnvironmentKey, name: str, rehearsal: Rehearsal | None, command: Command, standing: Standing
) -> Work:
    target = means.store.target(key)
    if target is None or target.blueprint is None:
        raise Problems(Problem(str(key), "it does not run", "nobody can be met there", "Bring it up: `anden up`."))
    blueprint = means.store.blueprint(target.blueprint)
    link = next((each for each in blueprint.topology.links if each.name == name), None)
    if link is None:
        known = ", ".join(blueprint.links) or "there are none"
        raise Problems(
            Problem(f"link {name}", "nothing of this name runs", known, "`anden up` raises what is declared.")
        )
    on_aws = key.engine is EngineName.AWS
    unfit = invitations_to_aws.unfit if on_aws else _unfit
    if rehearsal is not None and (problem := unfit(rehearsal, link, means.clock.now())):
        raise Problems(problem)
    issued = means.engine.invite(key, blueprint, name, rehearsal)
    if on_aws:
        yield Event(EventKind.NOTE, "", invitations_to_aws.said(name, rehearsal), "✓")
        return Ending(Outcome.DONE)
    own = "its own keys hold again" if link.certificate is None else "any certificate of its authority holds again"
    said = f"link {name}: nobody is invited any more; {own}"
    if rehearsal is not None:
        said = f"link {name}: who holds the invitation is the other side, until {when(rehearsal.until)}"
    yield Event(EventKind.NOTE, "", said, "✓", data=None if issued is None else codec.to_data(issued))
    return Ending(Outcome.DONE)


def _unfit(rehearsal: Rehearsal, link: Link, now: float) -> Problem | None:
    """Never repeats a key."""
    where = f"invitation to link {link.name}"
    if not SHORTEST_S <= rehearsal.until - now <= LONGEST_S:
        why = f"from {SHORTEST_S:g} s to {LONGEST_S / 86_400:g} days"
        return Problem(where, "it cannot last so long", why, "Say another time: `--expires 7d`.")
    met = MEET.fullmatch(rehearsal.meet)
    if met is None or int(met["port"]) > MOST_PORT:
        what = f"{rehearsal.meet} is no HOST:PORT"
        return Problem(where, what, "the other side goes there", "As `--meet 192.0.2.10:4510`.")
    right = set(rehearsal.keys) == set(link.secret) and all(map(PRE_SHARED_KEY.fullmatch, rehearsal.keys.values()))
    right = right and bool(rehearsal.public) == (link.certificate is not None) and not rehearsal.certificate
    if not right or len(rehearsal.wire) != 2 * WIRE_KEY_BYTES or not set(rehearsal.wire) <= set(hexdigits):
        named = ", ".join(link.secret) or "certificates prove its sides: a public key is asked for, and nothing else"
        return Problem(where, "its keys are not those of this link", named, "Have them made anew.")
    return None


def datacentre(means: Means, at: Asked, who: str, wanted: bool, report: ReportOf) -> Told:
    """Have the twin's data centre stand on the other side of every link, or nobody."""
    key = meant(at, means.engine.name, means.store)
    what = f"datacentre {'on' if wanted else 'off'}"
    return recorded(means, key, who, what, partial(_datacentre, means, key, wanted), report(key))


def _datacentre(means: Means, key: EnvironmentKey, wanted: bool, command: Command, standing: Standing) -> Work:
    names = means.engine.datacentre(key, wanted)
    said = (
        f"the data centre answers on the other side of link {', '.join(names)}" if wanted else "the data centre is gone"
    )
    if not names:
        said = "there is no link: the data centre would stand behind nothing"
    yield Event(EventKind.NOTE, "", said, "✓" if names else "!")
    return Ending(Outcome.DONE)
