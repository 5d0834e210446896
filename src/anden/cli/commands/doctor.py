"""`anden doctor`."""

import click

from anden import app
from anden.cli import terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import Words, common
from anden.cli.render import doctor as render
from anden.model import codec


@click.command("doctor")
@common("json")
@click.pass_obj
def command(words: Words) -> int:
    """Say what this machine has and lacks for the local engine. Changes nothing. Exit: 1 when something is lacking."""
    report = app.doctor()
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.lines(report, terminal.paint_for(terminal.stdout())))
    return DONE if report.ready else ERROR
