"""Commands on a link's tunnels, and the twin's data centre on the other side. Both are on record."""

from collections.abc import Callable
from functools import partial

from anden.control.asked import Asked
from anden.control.means import Means
from anden.control.reading import meant
from anden.control.record import Ending, Report, Standing, Told, Work, recorded
from anden.model.command import Command, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey

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
