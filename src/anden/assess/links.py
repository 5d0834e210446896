"""Links whose tunnels are down, and why: an incident is due when none is up."""

from collections.abc import Iterable

from anden.assess.outages import DOWN, SILENT, cause, moment, problem_of
from anden.model.finding import Finding, Severity
from anden.model.link import LinkSeen, TunnelSeen

AGAIN = "It is tried again every second, and comes back by itself when the cause is gone."


def assess(links: Iterable[LinkSeen]) -> tuple[Finding, ...]:
    """One finding for a link that carries nothing, and one for each tunnel that should stand by and does not. What was
    lowered on purpose is said too: somebody may have forgotten it; and what BGP says that was not declared."""
    return tuple(finding for link in links for finding in _of(link))


def _of(link: LinkSeen) -> list[Finding]:
    wanting = [tunnel for tunnel in link.tunnels if not tunnel.carries and tunnel.since]
    if wanting and len(wanting) == len(link.tunnels):
        why = tuple(f"tunnel {each.number}: {cause(each)}" for each in wanting)
        lasting = link.outage is not None and link.outage.until is None
        since = f", since {moment(link.outage.since)}" if link.outage is not None and lasting else ""
        text = f"{SILENT if any(each.up for each in wanting) else DOWN}{since}; an incident is due"
        return [Finding(Severity.TROUBLE, f"link {link.name}", text, _fix(link, wanting), None, why)]
    found = [
        Finding(
            Severity.WARNING, f"link {link.name}",
            f"tunnel {each.number} {'leads nowhere' if each.up else 'is down'}: {cause(each)}", _fix(link, [each]),
        )
        for each in wanting
    ]  # fmt: skip
    for each in link.tunnels:
        if each.carries and each.bgp is not None and (said := each.bgp.problem) is not None:
            text = f"tunnel {each.number}: {said.what}: {said.why}"
            found.append(Finding(Severity.WARNING, f"link {link.name}", text, said.fix))
    return found


def _fix(link: LinkSeen, wanting: list[TunnelSeen]) -> str:
    if all(each.lowered for each in wanting):
        return f"`anden link up {link.name}` raises it."
    problems = (problem_of(each) for each in wanting if not each.lowered)
    return next((problem.fix for problem in problems if problem is not None), AGAIN)
