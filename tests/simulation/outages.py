"""Outages of links, as the judge sees them: by the truth beside each look, and by what the record says in the end.

What is promised: that a link carries nothing, and that it carries again, is on record once each, with the time at which
it was so, however often control dies and whatever it is shown; and nothing is on record that was not.
"""

import re
from datetime import UTC, datetime

from tests.simulation.history import Did, History, Looked, Marked, Truth

from anden.store import Records

BEGAN = re.compile(r"link core: no tunnel carries, since (.*)")
ENDED = re.compile(r"link core: a tunnel carries again, since (.*)")
BEFORE = re.compile(r"link core: a tunnel carried again, before (.*)")
"""Control did not look while one was up between two outages."""


def check(history: History, records: Records) -> list[str]:
    """Everything that was wrong with what is on record of links."""
    began: set[str] = set()
    ended: set[str] = set()
    for true in _truths(history):
        began |= {moment(since) for _, since, _ in true.outages}
        ended |= {moment(until) for _, _, until in true.outages if until is not None}
    said = [command.what for command in records.commands(None, 100_000) if command.what.startswith("link ")]
    wrong = [f"`{what}` is on record twice" for what in sorted(set(said)) if said.count(what) > 1]
    for what in said:
        pattern, known = next(
            (each for each in ((BEGAN, began), (ENDED, ended), (BEFORE, began)) if each[0].fullmatch(what)),
            (None, began),
        )
        found = pattern.fullmatch(what) if pattern is not None else None
        if found is None or found[1] not in known:
            wrong.append(f"`{what}` is on record, and it was not so")
    for at, entry in history.entries:
        if isinstance(entry, Marked) and entry.what == "settled" and entry.true is not None:
            for name, since, until in entry.true.outages:
                wanted = [f"link {name}: no tunnel carries, since {moment(since)}"]
                if until is not None:
                    wanted.append(f"link {name}: a tunnel carries again, since {moment(until)}")
                wrong += [f"{at:.2f}: `{what}` is not on record" for what in wanted if what not in said]
    return wrong


def _truths(history: History) -> list[Truth]:
    found = []
    for _, entry in history.entries:
        match entry:
            case Looked(true=true):
                found.append(true)
            case Did(before=before, after=after):
                found += [before, after]
            case Marked(true=true) if true is not None:
                found.append(true)
            case _:
                pass
    return found


def moment(at: float) -> str:
    """As the record says a time."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
