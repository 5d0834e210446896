"""Links whose tunnels are down, and why: an incident is due when none is up."""

from collections.abc import Iterable

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
        why = tuple(f"tunnel {each.number}: {_why(each)}" for each in down)
        text = "no tunnel is up: nothing behind it can be reached"
        return [Finding(Severity.TROUBLE, f"link {link.name}", text, _fix(link, down), None, why)]
    return [
        Finding(
            Severity.WARNING, f"link {link.name}", f"tunnel {each.number} is down: {_why(each)}", _fix(link, [each])
        )
        for each in down
    ]


def _why(tunnel: TunnelSeen) -> str:
    if tunnel.lowered:
        return "it was lowered on purpose"
    return f"{tunnel.problem.what}: {tunnel.problem.why}" if tunnel.problem is not None else "it has just gone"


def _fix(link: LinkSeen, down: list[TunnelSeen]) -> str:
    if all(each.lowered for each in down):
        return f"`anden link up {link.name}` raises it."
    return next((each.problem.fix for each in down if each.problem is not None and not each.lowered), AGAIN)
