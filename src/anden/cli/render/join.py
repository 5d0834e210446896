"""`anden join`: what it would do, and what becomes of it."""

from collections.abc import Iterator, Sequence

from anden.cli.render.paint import Paint, clean
from anden.model.ids import EngineName
from anden.model.invitation import Invitation
from anden.model.problem import Problem
from anden.model.sight import Sight
from anden.planning import invitations_to_aws as to_aws
from anden.planning.invitations import admit, when


def met(invitation: Invitation) -> str:
    """Where the other side is."""
    return f"AWS ({to_aws.endpoints(invitation.agreement)})" if _on_aws(invitation) else invitation.rehearsal.meet


def _on_aws(invitation: Invitation) -> bool:
    return invitation.key.engine is EngineName.AWS


def would(invitation: Invitation, file: str) -> list[str]:
    """For who only asks."""
    agreement, rehearsal = invitation.agreement, invitation.rehearsal
    ours = ", ".join(str(tunnel.ours.address) for tunnel in agreement.tunnels)
    opened = ", ".join(each.to for each in invitation.openings) or "nothing"
    return [
        f"link {agreement.link} of {invitation.key.client}/{invitation.key.environment}, until {when(rehearsal.until)}",
        f"would be {agreement.peer} to their endpoints {ours}, in networks of its own; this machine's stay as they are",
        f"would answer for {', '.join(map(str, agreement.remote))}, on {opened}",
        f"would see them as {agreement.local}",
        *(
            f"may dial {each.to} ({each.service}) from {', '.join(map(str, each.sources))}"
            for each in invitation.admitted
        ),
        *(f"would ask for key {name}, and show it nowhere" for name in _asked(invitation)),
        *(f"admit: {line}" for line in _admit(invitation)),
        f"nothing is in the way: anden join {file}",
    ]


def begun(invitation: Invitation, paint: Paint) -> list[str]:
    """The first lines."""
    agreement, rehearsal = invitation.agreement, invitation.rehearsal
    only = ", and AWS answers only who is seen from outside as that" if _on_aws(invitation) else ""
    place = f"{invitation.key.client}/{invitation.key.environment}"
    return [
        paint.strong(
            f"link {clean(agreement.link)} of {clean(place)}, at {met(invitation)} until {when(rehearsal.until)}"
        ),
        f"we are {agreement.peer}{only}; Ctrl-C ends it, and leaves nothing",
    ]


def changed(before: Sight, now: Sight) -> bool:
    """Whether there is something to say: not of every byte."""
    return (before.heard, before.tunnels, before.asked) != (now.heard, now.tunnels, now.asked)


def changes(before: Sight | None, now: Sight, invitation: Invitation, paint: Paint) -> Iterator[str]:
    """A line for each thing that is otherwise than before."""
    meet = met(invitation)
    if before is None:
        yield f"{paint.dim('…')} looking for {meet}"
    was = before.heard if before is not None else False
    if now.heard != was:
        yield f"{paint.good('✓')} {meet} is there" if now.heard else f"{paint.bad('!')} {meet} has fallen silent"
    up = {each.number: each.up for each in before.tunnels} if before is not None else {}
    for tunnel in now.tunnels:
        if tunnel.up and not up.get(tunnel.number, False):
            yield f"{paint.good('✓')} tunnel {tunnel.number} is up"
        elif not tunnel.up and up.get(tunnel.number, False):
            yield f"{paint.bad('!')} tunnel {tunnel.number} is down"
    known = {(each.source, each.to) for each in before.asked} if before is not None else set()
    for each in now.asked:
        if (each.source, each.to) not in known:
            yield f"{paint.good('✓')} {each.source} asked {each.to}"


def wrong(before: Sequence[Problem], now: Sequence[Problem], paint: Paint) -> Iterator[str]:
    """What is wrong now and was not, with what to do."""
    for problem in now:
        if problem not in before:
            yield f"{paint.bad('!')} {clean(problem.where)}: {clean(problem.what)}"
            yield f"  why: {clean(problem.why)}"
            yield f"  fix: {clean(problem.fix)}"


def kept(page: str, invitation: Invitation) -> str:
    """Where the page is, and whose."""
    return f"{page} is the page of this side" if _on_aws(invitation) else f"{page} is the page for both sides"


def _asked(invitation: Invitation) -> tuple[str, ...]:
    return to_aws.keys(invitation.agreement) if _on_aws(invitation) else ()


def _admit(invitation: Invitation) -> list[str]:
    return to_aws.admit(invitation.agreement) if _on_aws(invitation) else admit(invitation.rehearsal.meet)


def ended(last: Sight | None, invitation: Invitation, paint: Paint) -> str:
    """The last line."""
    if last is None or not any(each.since for each in last.tunnels):
        return f"{paint.bad('✗')} no tunnel of link {invitation.agreement.link} was up"
    asked = sum(each.times for each in last.asked)
    return f"{paint.good('✓')} ended; tunnels were up, {asked} times somebody asked; nothing is left here"
