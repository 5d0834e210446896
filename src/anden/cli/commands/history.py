"""`anden history`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.options import PLACE, Words, common
from anden.cli.render import history as render
from anden.model import codec
from anden.model.command import Command

MOST = 1_000


@click.command("history")
@click.option("-n", "--most", type=click.IntRange(1, MOST), default=20, show_default=True, help="How many.")
@common(*PLACE)
@click.pass_obj
def command(words: Words, most: int) -> None:
    """Who did what, when, with which outcome. The record is chained, and stays after `down`."""
    here = place.running(words.said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        body = {"at": here.at(with_manifest=False), "most": most}
        commands = [codec.from_data(Command, each) for each in api.request("POST", "/v1/commands", body)]
    if words.said.json:
        terminal.as_json([codec.to_data(each) for each in commands])
    else:
        terminal.data(render.lines(commands, terminal.paint_for(terminal.stdout()), terminal.local_zone()))
