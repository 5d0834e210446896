"""`anden state rebuild`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import state as render
from anden.cli.waiting import waiting
from anden.model import codec


@click.group("state")
def command() -> None:
    """What is kept of a client elsewhere than on this machine."""


@command.command("rebuild")
@common(*PLACE)
@click.pass_obj
def rebuild(words: Words) -> int:
    """Read everything back from the client's account: targets, blueprints, changes, the record of commands.

    Nothing is kept on this machine, so this is the proof that a lost one loses nothing. Exit: 1 when something there
    cannot be used.
    """
    here = place.anywhere(words.said)
    with waiting("reading everything back"):
        report = app.rebuild(here.client, here.engine)
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.lines(report, terminal.paint_for(terminal.stdout())))
    return ERROR if report.problems else DONE
