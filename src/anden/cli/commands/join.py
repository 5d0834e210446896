"""`anden join`."""

import signal
import time
from pathlib import Path
from types import FrameType

import click

from anden import app
from anden.cli import invitation, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import Words, common
from anden.cli.render import join as render
from anden.model import codec
from anden.model.invitation import Invitation
from anden.model.joined import Joined
from anden.model.problem import Problem, Problems

LOOK_S = 0.5
"""Between two looks at what is."""


@click.command("join")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Say what it would do, and what is in the way; needs no root.")
@common("json")
@click.pass_obj
def command(words: Words, file: Path, check: bool) -> int:
    """Raise the other side of a link by an invitation, FILE: a real tunnel, from this machine, for a rehearsal.

    With a strongSwan of its own in networks of its own: nothing of this machine's network is touched, and nothing is
    left when it ends, by Ctrl-C or with the invitation. Answers on the ports that the link declares, and says who is
    seen. With --json one JSON document a line, for each change.
    """
    found, problems = invitation.read(file, time.time())
    lacking = app.join_lacks()
    problems += [each for each in lacking if not (check and each.what == "needs root")]
    if problems or found is None:
        raise Problems(problems)
    if not check:
        return _joined(found, as_json=words.said.json)
    if words.said.json:
        terminal.as_json({"link": found.agreement.link, "meet": found.rehearsal.meet, "problems": []})
    else:
        terminal.data(render.would(found, str(file)))
    return DONE


def _joined(found: Invitation, *, as_json: bool) -> int:
    signal.signal(signal.SIGTERM, _stop)
    out = terminal.progress()
    last: Joined | None = None
    if not as_json:
        for line in render.begun(found, out.paint):
            out.say(line)
    try:
        with app.join(found) as joining:
            while time.time() < found.rehearsal.until:
                last = _told(last, joining.look(), found, out, as_json=as_json)
                time.sleep(LOOK_S)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        said = error.strerror or str(error)
        fix = "`anden join --check` says what is missing."
        raise Problems(Problem("this machine", "it cannot join", said, fix)) from error
    if not as_json:
        out.say(render.ended(last, found, out.paint))
    return DONE if last is not None and any(each.since for each in last.tunnels) else ERROR


def _told(before: Joined | None, now: Joined, found: Invitation, out: terminal.Progress, *, as_json: bool) -> Joined:
    """What is otherwise than before."""
    if not as_json:
        for line in render.changes(before, now, found, out.paint):
            out.say(line)
    elif before is None or render.changed(before, now):
        terminal.json_line(codec.to_data(now))
    return now


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
