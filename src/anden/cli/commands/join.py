"""`anden join`."""

import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from anden import app
from anden.cli import invitation, invitation_to_aws, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import Words, common
from anden.cli.render import join as render
from anden.model import codec
from anden.model.ids import EngineName
from anden.model.invitation import Invitation
from anden.model.problem import Problem, Problems
from anden.model.sight import Sight
from anden.planning import link_page

NO_TIME = 0.0
"""Of the file nothing has ended then: a page outlives its invitation."""
LOOK_S = 0.5
"""Between two looks at what is."""


@click.command("join")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Where the page goes that is written at the end; FILE.page.md else.",
)
@click.option("--verify", type=click.Path(path_type=Path), metavar="PAGE", help="Only check a page's signature.")
@click.option("--check", is_flag=True, help="Say what it would do, and what is in the way; needs no root.")
@common("json")
@click.pass_obj
def command(words: Words, file: Path, page: Path | None, verify: Path | None, check: bool) -> int:
    """Raise the other side of a link by an invitation, FILE: a real tunnel, from this machine, for a rehearsal.

    With a strongSwan of its own in networks of its own: nothing of this machine's network is touched, and nothing is
    left when it ends, by Ctrl-C or with the invitation. Answers on the ports that the link declares, and says who is
    seen. With --json one JSON document a line, for each change.

    To a link on AWS it asks for the key of each tunnel, and shows none; without a terminal standard input says them,
    one line for each key that the file's `asks-for` names, in that order. They are nowhere after it.
    """
    if verify is not None:
        return _verified(file, verify)
    found, problems = invitation.read(file, time.time())
    lacking = app.join_lacks(bgp=found is not None and found.agreement.bgp is not None)
    problems += [each for each in lacking if not (check and each.what == "needs root")]
    if problems or found is None:
        raise Problems(problems)
    if not check:
        if found.key.engine is EngineName.AWS:
            found = invitation_to_aws.with_keys(found)
        return _joined(found, page or file.with_name(f"{file.name}.page.md"), as_json=words.said.json)
    if words.said.json:
        terminal.as_json({"link": found.agreement.link, "meet": render.met(found), "problems": []})
    else:
        terminal.data(render.would(found, str(file)))
    return DONE


def _verified(file: Path, verify: Path) -> int:
    found, problems = invitation.read(file, NO_TIME)
    if found is None:
        raise Problems(problems)
    rehearsal = found.rehearsal
    if problem := link_page.fault(invitation.page(verify), str(verify), rehearsal.id, rehearsal.wire):
        raise Problems(problem)
    terminal.data([f"{verify} was written by who holds invitation {rehearsal.id}, and was not changed since"])
    return DONE


def _joined(found: Invitation, page: Path, *, as_json: bool) -> int:
    signal.signal(signal.SIGTERM, _stop)
    out = terminal.progress()
    last: _Look | None = None
    theirs: Sight | None = None
    if not as_json:
        for line in render.begun(found, out.paint):
            out.say(line)
    try:
        with app.join(found) as joining:
            for note in () if as_json else joining.notes:
                out.say(note)
            while time.time() < found.rehearsal.until:
                last = _told(last, _Look(joining.look(), joining.problems), found, out, as_json=as_json)
                theirs = joining.theirs()
                time.sleep(LOOK_S)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        said = error.strerror or str(error)
        fix = "`anden join --check` says what is missing."
        raise Problems(Problem("this machine", "it cannot join", said, fix)) from error
    if last is not None:
        agreed = link_page.Page(
            found.key, found.agreement, found.openings, last.sight.at, theirs, last.sight, found.admitted,
            their_problems=last.problems,
        )  # fmt: skip
        written, rehearsal = link_page.text(agreed), found.rehearsal
        value = link_page.signature(written, rehearsal.wire)
        invitation.keep_page(page, link_page.signed(written, rehearsal.id, value))
    if not as_json:
        out.say(render.ended(last.sight if last is not None else None, found, out.paint))
        out.say(render.kept(str(page), found))
    return DONE if last is not None and any(each.since for each in last.sight.tunnels) else ERROR


@dataclass(frozen=True, slots=True)
class _Look:
    """What is, and what is wrong."""

    sight: Sight
    problems: tuple[Problem, ...]


def _told(before: _Look | None, now: _Look, found: Invitation, out: terminal.Progress, *, as_json: bool) -> _Look:
    """What is otherwise than before."""
    was, known = (before.sight, before.problems) if before is not None else (None, ())
    if not as_json:
        lines = (*render.changes(was, now.sight, found, out.paint), *render.wrong(known, now.problems, out.paint))
        for line in lines:
            out.say(line)
    elif was is None or known != now.problems or render.changed(was, now.sight):
        problems = [codec.to_data(each) for each in now.problems]
        terminal.json_line({**codec.to_data(now.sight), "problems": problems})
    return now


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
