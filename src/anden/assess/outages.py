"""Outages of links: when no tunnel carries, since when and why, and when it is over. An incident is due for each.

Who keeps a link knows the latest one (the twin's watch needs nobody for it), so that one which began and ended while
nobody looked is told as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from anden.model.link import LinkSeen, Outage, TunnelSeen
from anden.model.problem import Problem

DOWN = "no tunnel is up: nothing behind it can be reached"
"""What is said of a link in an outage, on every engine."""
SILENT = "no tunnel carries: nothing behind it can be reached"
"""The same, when a tunnel is up and its BGP session lets nothing go by it."""
GONE = "it has just gone"
"""Of a tunnel whose cause is not known yet."""


def followed(before: Outage | None, tunnels: Sequence[TunnelSeen], at: float) -> Outage | None:
    """The latest outage of a link, with what is seen of its tunnels at `at` (Unix seconds). While of one of them
    nothing is known yet, or its BGP session is to come, nothing begins; that a tunnel carries ends an outage anyway.

    A tunnel's own time is that of its rise or fall; of BGP there is none, and then it is `at`.
    """
    lasting = before is not None and before.until is None
    carrying = [each.since if each.bgp is None else at for each in tunnels if each.carries]
    if carrying:
        return replace(before, until=max(min(carrying), before.since)) if before is not None and lasting else before
    if not tunnels or not all(each.since for each in tunnels):
        return before
    why = tuple(f"tunnel {each.number}: {cause(each)}" for each in tunnels)
    if before is not None and lasting:
        # A cause that comes later may only be the return: a side that has just begun knows no proposals yet.
        known = before.why if len(before.why) == len(why) else ()
        first = tuple(was if GONE not in was else now for was, now in zip(known, why, strict=False))
        return replace(before, why=first or why)
    if any(each.up and problem_of(each) is None for each in tunnels):
        return before
    return Outage(max(at if each.up else each.since for each in tunnels), None, why)


def cause(tunnel: TunnelSeen) -> str:
    """Why a tunnel does not carry, in a few words."""
    if tunnel.lowered:
        return "it was lowered on purpose"
    if (problem := problem_of(tunnel)) is not None:
        return f"{problem.what}: {problem.why}"
    return "its BGP session is not there yet" if tunnel.up else GONE


def problem_of(tunnel: TunnelSeen) -> Problem | None:
    """Why it is down, or leads nowhere although it is up."""
    if not tunnel.up:
        return tunnel.problem
    return tunnel.bgp.problem if tunnel.bgp is not None else None


def news(before: Iterable[LinkSeen], now: Iterable[LinkSeen]) -> tuple[tuple[str, str], ...]:
    """What the record gets: what happened, which no other outage has word for word, and the causes. before: as it was
    seen last. An outage is known by when it began."""
    known = {link.name: link.outage for link in before}
    return tuple(said for link in now for said in _told(link, known.get(link.name)))


def _told(link: LinkSeen, was: Outage | None) -> Iterator[tuple[str, str]]:
    # An engine that only knows the one that lasts (AWS) does not say of it that it is over.
    outage = link.outage or followed(was, link.tunnels, was.since if was is not None else 0.0)
    if outage is None:
        return
    fresh = was is None or was.since != outage.since
    why = "; ".join(outage.why)
    if fresh and was is not None and was.until is None:
        over = f"link {link.name}: a tunnel carried again, before {moment(outage.since)}"
        yield over, f"nobody looked just then: {'; '.join(was.why)}"
    if fresh:
        yield f"link {link.name}: no tunnel carries, since {moment(outage.since)}", why
    if outage.until is not None and (fresh or (was is not None and was.until is None)):
        yield (
            f"link {link.name}: a tunnel carries again, since {moment(outage.until)}",
            f"after {lasted(outage)}: {why}",
        )


def lasted(outage: Outage) -> str:
    """`38 s`, `2 min 5 s`, `3 h 10 min`; of one that is over."""
    seconds = round((outage.until or outage.since) - outage.since)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(at: float) -> str:
    """`2026-11-27 03:38:00 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
