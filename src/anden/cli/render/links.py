"""`anden link`, and a link's line in `anden status`."""

from collections.abc import Sequence

from anden.assess.outages import lasted
from anden.cli.render import words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.table import columns
from anden.model.ids import EngineName
from anden.model.invitation import Invitation
from anden.model.link import LinkSeen, TunnelSeen
from anden.model.report import LinkPage
from anden.planning import invitations_to_aws
from anden.planning.invitations import when


def line(link: LinkSeen, paint: Paint) -> str:
    """`link core: tunnel 1 up, 2 standby`."""
    said = ", ".join(f"{'tunnel ' if at == 0 else ''}{each.number} {_state(link, each, paint)}" for at, each in
                     enumerate(link.tunnels))  # fmt: skip
    return f"link {clean(link.name)}: {said}"


def lines(links: Sequence[LinkSeen], now: float, paint: Paint) -> list[str]:
    """Each tunnel of each link: its endpoint, what it carried, and why it is not up."""
    said: list[str] = []
    for link in links:
        other = ", the twin's data centre" if link.datacentre else ""
        if (open_ := link.invited) is not None:
            who = f"joined from {open_.joined}" if open_.joined else f"nobody has joined at {open_.meet}"
            other = f", by invitation until {when(open_.until)}: {who}"
        said.append(paint.strong(f"link {clean(link.name)}, to {link.peer}{other}"))
        spoken = ["BGP"] if any(each.bgp is not None for each in link.tunnels) else []
        rows = [[paint.dim(title) for title in ("TUNNEL", "STATE", *spoken, "SINCE", "FROM", "IN", "OUT")]]
        for each in link.tunnels:
            since = words.ago(each.since, now) if each.since else ""
            carried = [words.mebibytes(each.bytes_in), words.mebibytes(each.bytes_out)] if each.up else ["", ""]
            session = [_session(each, paint)] if spoken else []
            rows.append([str(each.number), _state(link, each, paint), *session, since, each.address, *carried])
        said += columns(rows)
        for each in link.tunnels:
            problem = each.problem if not each.up else (each.bgp.problem if each.bgp is not None else None)
            if problem is not None:
                said.append(f"{paint.bad('!')} {clean(problem.where)}: {clean(problem.what)}")
                said.append(f"  why: {clean(problem.why)}")
                said.append(f"  fix: {paint.link(clean(problem.fix))}")
        if (last := link.outage) is not None and last.until is not None:
            over = words.ago(last.until, now)
            said.append(paint.dim(f"no tunnel carried for {lasted(last)}, until {over}"))
    return said


def invited(invitation: Invitation, file: str) -> list[str]:
    """What to do with the file."""
    until = when(invitation.rehearsal.until)
    if invitation.key.engine is EngineName.AWS:
        agreement = invitation.agreement
        return [
            f"{file} is the invitation to link {agreement.link} on AWS, until {until}; no key of a tunnel is in it",
            f"On a Linux machine that leaves as {agreement.peer}, as root: anden join {file}",
            f"It asks for {', '.join(invitations_to_aws.keys(agreement))}, which their team has",
        ]
    holds = "keys" if invitation.credential is None else "a certificate, and its key,"
    return [
        f"{file} is the invitation to link {invitation.agreement.link}, until {until}; it holds {holds} of this "
        "rehearsal",
        f"Admit on this side: UDP {invitation.rehearsal.meet}, from where the other side joins",
        f"On a Linux machine of theirs, as root: anden join {file}",
    ]


def signed(page: LinkPage) -> str:
    """Whether it is, in words."""
    if page.signed:
        return "signed by the rehearsal's key"
    on_aws = page.engine == EngineName.AWS.value
    return "not signed: `--invitation FILE` signs it" if on_aws else "not signed: nobody is invited"


def _state(link: LinkSeen, tunnel: TunnelSeen, paint: Paint) -> str:
    if tunnel.up and not tunnel.carries:
        return paint.warn("no route")
    if tunnel.up:
        return paint.good("up") if link.by == tunnel.number else "standby"
    if tunnel.lowered:
        return paint.warn("lowered")
    return paint.bad("down") if tunnel.since else paint.dim("rising")


def _session(tunnel: TunnelSeen, paint: Paint) -> str:
    if tunnel.bgp is None or not tunnel.up:
        return "-"
    return clean(tunnel.bgp.state) if tunnel.bgp.carries else paint.warn(clean(tunnel.bgp.state))
