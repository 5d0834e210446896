"""What outlives an environment, as people are told of it."""

from collections.abc import Iterator

from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.model.stack import Kept


def kept(seen: Observation | None) -> tuple[Kept, ...]:
    """All of it, by family."""
    found = [one.kept for one in (seen.stacks if seen is not None else ()) if one.kept is not None]
    return tuple(sorted(found, key=lambda each: each.family))


def told(key: EnvironmentKey, seen: Observation | None) -> Iterator[Event]:
    """What is left after `down`, what it costs, and the command that releases it; nothing where nothing is."""
    found = kept(seen)
    for each in found:
        cost = f", ${each.month_usd:.2f} a month" if each.month_usd is not None else ""
        yield Event(EventKind.NOTE, each.family, f"kept: {each.what}{cost}", "!")
    if found:
        text = f"the next `up` uses it again; `{releasing(key)}` gives it up for ever"
        yield Event(EventKind.NOTE, key.environment, text, "!")


def releasing(key: EnvironmentKey) -> str:
    """The command that releases it."""
    return f"anden down -e {key.environment} --on {key.engine} --release"
