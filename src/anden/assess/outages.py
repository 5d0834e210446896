"""Outages of links: when no tunnel is up, since when and why, and when it is over. An incident is due for each.

Who keeps a link knows the latest one (the twin's watch needs nobody for it), so that one which began and ended while
nobody looked is told as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from anden.model.link import LinkSeen, Outage, TunnelSeen

DOWN = "no tunnel is up: nothing behind it can be reached"
"""What is said of a link in an outage, on every engine."""
GONE = "it has just gone"
"""Of a tunnel whose cause is not known yet."""


def followed(before: Outage | None, tunnels: Sequence[TunnelSeen]) -> Outage | None:
    """The latest outage of a link, with what is seen of its tunnels now. While of one of them nothing is known yet,
    nothing begins; that a tunnel is up ends an outage in any case."""
    lasting = before is not None and before.until is None
    up = [each.since for each in tunnels if each.up]
    if up:
        return replace(before, until=max(min(up), before.since)) if before is not None and lasting else before
    if not tunnels or not all(each.since for each in tunnels):
        return before
    why = tuple(f"tunnel {each.number}: {cause(each)}" for each in tunnels)
    if before is not None and lasting:
        # A cause that comes later may only be the return: a side that has just begun knows no proposals yet.
        known = before.why if len(before.why) == len(why) else ()
        first = tuple(was if GONE not in was else now for was, now in zip(known, why, strict=False))
        return replace(before, why=first or why)
    return Outage(max(each.since for each in tunnels), None, why)


def cause(tunnel: TunnelSeen) -> str:
    """Why a tunnel is down, in a few words."""
    if tunnel.lowered:
        return "it was lowered on purpose"
    return f"{tunnel.problem.what}: {tunnel.problem.why}" if tunnel.problem is not None else GONE


def news(before: Iterable[LinkSeen], now: Iterable[LinkSeen]) -> tuple[tuple[str, str], ...]:
    """What the record gets: what happened, which no other outage has word for word, and the causes. before: as it was
    seen last. An outage is known by when it began."""
    known = {link.name: link.outage for link in before}
    return tuple(said for link in now for said in _told(link, known.get(link.name)))


def _told(link: LinkSeen, was: Outage | None) -> Iterator[tuple[str, str]]:
    # An engine that only knows the one that lasts (AWS) does not say of it that it is over.
    outage = link.outage or followed(was, link.tunnels)
    if outage is None:
        return
    fresh = was is None or was.since != outage.since
    why = "; ".join(outage.why)
    if fresh and was is not None and was.until is None:
        over = f"link {link.name}: a tunnel was up again, before {moment(outage.since)}"
        yield over, f"nobody looked just then: {'; '.join(was.why)}"
    if fresh:
        yield f"link {link.name}: no tunnel is up, since {moment(outage.since)}", why
    if outage.until is not None and (fresh or (was is not None and was.until is None)):
        yield f"link {link.name}: a tunnel is up again, since {moment(outage.until)}", f"after {lasted(outage)}: {why}"


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
