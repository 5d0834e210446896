"""Links whose tunnels are down, and why: an incident is due when none is up."""

from collections.abc import Iterable

from anden.assess.outages import DOWN, cause, moment
from anden.model.finding import Finding, Severity
from anden.model.link import LinkSeen, TunnelSeen

AGAIN = "It is tried again every second, and comes back by itself when the cause is gone."


def assess(links: Iterable[LinkSeen]) -> tuple[Finding, ...]:
    """One finding for a link that carries nothing, and one for each tunnel that should stand by and does not. What was
    lowered on purpose is said too: somebody may have forgotten it."""
    return tuple(finding for link in links for finding in _of(link))


def _of(link: LinkSeen) -> list[Finding]:
    down = [tunnel for tunnel in link.tunnels if not tunnel.up and tunnel.since]
    if not down:
        return []
    if len(down) == len(link.tunnels):
        why = tuple(f"tunnel {each.number}: {cause(each)}" for each in down)
        lasting = link.outage is not None and link.outage.until is None
        since = f", since {moment(link.outage.since)}" if link.outage is not None and lasting else ""
        text = f"{DOWN}{since}; an incident is due"
        return [Finding(Severity.TROUBLE, f"link {link.name}", text, _fix(link, down), None, why)]
    return [
        Finding(
            Severity.WARNING, f"link {link.name}", f"tunnel {each.number} is down: {cause(each)}", _fix(link, [each])
        )
        for each in down
    ]


def _fix(link: LinkSeen, down: list[TunnelSeen]) -> str:
    if all(each.lowered for each in down):
        return f"`anden link up {link.name}` raises it."
    return next((each.problem.fix for each in down if each.problem is not None and not each.lowered), AGAIN)
