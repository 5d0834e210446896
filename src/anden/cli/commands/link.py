"""`anden link`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from anden import app
from anden.cli import invitation, invitation_to_aws, place, standing, stream, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.moment import duration
from anden.cli.options import PLACE, Said, Words, common
from anden.cli.render import events
from anden.cli.render import links as render
from anden.cli.render import reach as ways
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.command import Outcome
from anden.model.ids import EngineName
from anden.model.invitation import Vouched
from anden.model.link import LinkSeen
from anden.model.problem import Problem, Problems
from anden.model.report import LinkConfig, LinkPage, ReachReport, StatusReport
from anden.planning.devices import DEFAULT, DEVICES

_tunnel = click.option("--tunnel", type=click.IntRange(1), metavar="N", help="This one only; otherwise all of it.")


@click.group("link")
def command() -> None:
    """The tunnels to the client's data centre."""


@command.command("status")
@click.argument("name", required=False)
@common(*PLACE)
@click.pass_obj
def status(words: Words, name: str | None) -> int:
    """Each tunnel's state, since when, what it carried, and why it is not up. Exit 1 when a link carries nothing."""
    here = place.running(words.said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        report = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": here.at()}))
        now = api.now()
    found = _meant(report, name)
    if words.said.json:
        terminal.as_json([codec.to_data(each) for each in found])
    else:
        terminal.data(render.lines(found, now, terminal.paint_for(terminal.stdout())))
    return DONE if all(each.by is not None for each in found) else ERROR


@command.command("up")
@click.argument("name")
@_tunnel
@common(*PLACE)
@click.pass_obj
def up(words: Words, name: str, tunnel: int | None) -> int:
    """Raise a tunnel again that was lowered."""
    return _turned(words.said, name, tunnel, up=True)


@command.command("down")
@click.argument("name")
@_tunnel
@common(*PLACE)
@click.pass_obj
def down(words: Words, name: str, tunnel: int | None) -> int:
    """Lower a tunnel and leave it so. The traffic goes by the other one first, so that nothing is lost."""
    return _turned(words.said, name, tunnel, up=False)


@command.command("test")
@click.argument("name")
@common(*PLACE)
@click.pass_obj
def test(words: Words, name: str) -> int:
    """Really try every destination behind the link, from every service that declares it. Exit 1: not as computed."""
    here = place.running(words.said)
    if here.topology is None:
        raise Problems(here.problems)
    behind = {str(each.name) for each in here.topology.destinations if each.link == name}
    if name not in {link.name for link in here.topology.links}:
        raise Problems(_unknown(name, [link.name for link in here.topology.links]))
    pairs = [(each.name, to) for each in here.topology.services for to in each.reaches if to in behind]
    paint, failed = terminal.paint_for(terminal.stdout()), not pairs
    found: list[ReachReport] = []
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        for caller, callee in pairs:
            body = {"at": here.at(), "caller": caller, "callee": callee, "port": None, "live": True}
            with waiting(f"trying {caller} → {callee}"):
                found.append(codec.from_data(ReachReport, api.request("POST", "/v1/reach", body)))
            failed = failed or bool(ways.disagreements(found[-1])) or not found[-1].probed
    if words.said.json:
        terminal.as_json([codec.to_data(each) for each in found])
    elif not pairs:
        terminal.data([f"no service reaches anything behind link {name}"])
    else:
        for each in found:
            terminal.data(ways.lines(each, paint, matrix=False))
    return ERROR if failed else DONE


@command.command("config")
@click.argument("name")
@click.option("--device", type=click.Choice(list(DEVICES)), default=DEFAULT, help=f"The other side's; {DEFAULT} else.")
@common(*PLACE)
@click.pass_obj
def config(words: Words, name: str, device: str) -> int:
    """The client's side of link NAME, for their device: what their network team loads, but for the keys.

    From the manifest alone on the twin; on AWS once the connection is there. Keys are named where they belong, and are
    never printed.
    """
    here = place.running(words.said)
    with app.connect(here.client, here.engine, start=False) as api:
        terminal.note(api.note)
        body = {"at": here.at(), "name": name, "device": device}
        report = codec.from_data(LinkConfig, api.request("POST", "/v1/links/config", body))
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(report.text.splitlines())
    return DONE


@command.command("invite")
@click.argument("name")
@click.option("-o", "output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there.")
@click.option(
    "--expires", default="7d", metavar="TIME", help="How long it lasts: 30m, 2h, 7d (if not said), 30d at most."
)
@click.option("--meet", metavar="HOST:PORT", help="Where the other side reaches this machine, by UDP; port 4510 else.")
@click.option("--end", is_flag=True, help="Nobody is invited any more.")
@common(*PLACE)
@click.pass_obj
def invite(
    words: Words, name: str, output: Path | None, expires: str, meet: str | None, end: bool
) -> int:  # fmt: skip
    """Invite the other side of link NAME to a rehearsal: one file, with which `anden join` raises their half.

    The file holds keys that are for this rehearsal only and end with it, or a certificate with its key; the link's own
    rest meanwhile. It ends by --end, by its time, and with the environment.

    On AWS nothing is changed and the file holds no key of a tunnel: who joins has the link's own. It is refused while a
    tunnel is up, and ends with its time.
    """
    if end == (output is not None):
        raise click.UsageError("Say where the file goes, -o FILE; or --end.")
    try:
        for_s = duration(expires)
    except ValueError as wrong:
        raise click.UsageError(f"--expires: {wrong}") from None
    here = place.running(words.said)
    if meet is not None and here.engine is EngineName.AWS:
        raise click.UsageError("--meet is the twin's: on AWS its own endpoints are met.")
    columns = events.columns_for(here.services)
    with ExitStack() as stack:
        api = stack.enter_context(app.connect(here.client, here.engine, start=False, seen=True))
        terminal.note(api.note)
        body: dict[str, Any] = {"at": here.at(), "name": name}
        made, put = None, None
        if output is not None:
            agreed = codec.from_data(LinkConfig, api.request("POST", "/v1/links/config", {**body, "invites": True}))
            if here.engine is EngineName.AWS:
                made = invitation_to_aws.made(agreed, api.now(), for_s)
            else:
                made = invitation.made(agreed, meet or invitation.met_at(), api.now(), for_s)
            put = stack.enter_context(invitation.writing(output, made))
            rehearsal = made.rehearsal
            body |= {"id": rehearsal.id, "until": rehearsal.until, "meet": rehearsal.meet}
            if here.engine is not EngineName.AWS:
                body |= {"keys": dict(rehearsal.keys), "wire": rehearsal.wire, "public": rehearsal.public}
        try:
            ended = stream.follow(api.stream("POST", "/v1/links/invite", body), columns)
        except stream.Cancelled:
            return standing.cancelled(api, here, f"anden link invite {name}")
        if made is not None and put is not None and ended.outcome is Outcome.DONE:
            put(None if made.credential is None else codec.from_data(Vouched, ended.given))
            if not words.said.json:
                terminal.data(render.invited(made, str(output)))
    return stream.finish(ended, words.said)


@command.command("page")
@click.argument("name")
@click.option("-o", "output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there.")
@click.option(
    "--invitation", "file", type=click.Path(path_type=Path), metavar="FILE",
    help="Sign it by this file's key, where nobody else has that: on AWS.",
)  # fmt: skip
@common(*PLACE)
@click.pass_obj
def page(words: Words, name: str, output: Path | None, file: Path | None) -> int:
    """The page of link NAME for both network teams: what is agreed, what to admit, what each side saw, and when.

    In Markdown; signed while somebody is invited, by a key that both sides hold. `anden join` writes the same when it
    ends.
    """
    here = place.running(words.said)
    if file is not None and here.engine is not EngineName.AWS:
        raise click.UsageError("--invitation is for AWS: the twin signs while somebody is invited.")
    with app.connect(here.client, here.engine, start=False) as api:
        terminal.note(api.note)
        report = codec.from_data(LinkPage, api.request("POST", "/v1/links/page", {"at": here.at(), "name": name}))
    if file is not None:
        report = invitation_to_aws.signed(report, file)
    if output is not None:
        invitation.keep_page(output, report.text)
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    elif output is None:
        terminal.data(report.text.splitlines())
    else:
        terminal.data([f"{output} is the page of link {name}, {render.signed(report)}"])
    return DONE


def _turned(said: Said, name: str, tunnel: int | None, *, up: bool) -> int:
    here = place.running(said)
    columns = events.columns_for(here.services)
    body = {"at": here.at(), "name": name, "tunnel": tunnel, "up": up}
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        try:
            ended = stream.follow(api.stream("POST", "/v1/links/turn", body), columns)
        except stream.Cancelled:
            return standing.cancelled(api, here, f"anden link {'up' if up else 'down'} {name}")
    return stream.finish(ended, said)


def _meant(report: StatusReport, name: str | None) -> Sequence[LinkSeen]:
    """Raises Problems: there is none of this name, or none at all."""
    found = [each for each in report.links if name in (None, each.name)]
    if not found:
        raise Problems(_unknown(name or "", [each.name for each in report.links]))
    return found


def _unknown(name: str, known: Sequence[str]) -> Problem:
    why = ", ".join(known) or "none is raised here"
    return Problem(f"link {name}".strip(), "there is none of this name", why, "`links:` of the manifest declares them.")
