"""`anden history`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.options import PLACE, Words, common
from anden.cli.render import history as render
from anden.model import codec
from anden.model.command import Command
from anden.model.report import AuditReport

MOST = 1_000


@click.command("history")
@click.option("-n", "--most", type=click.IntRange(1, MOST), default=20, show_default=True, help="How many.")
@click.option("--verify", is_flag=True, help="Check instead that the whole record is what was written.")
@common(*PLACE)
@click.pass_obj
def command(words: Words, most: int, verify: bool) -> int:
    """Who did what, when, with which outcome. The record is chained, and stays after `down`.

    With --verify: exit 0 when every entry is what was written, else 1. Gaps are said: anden made them known itself.
    """
    here = place.running(words.said)
    at = here.at(with_manifest=False)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        if verify:
            report = codec.from_data(AuditReport, api.request("POST", "/v1/verify", {"at": at}))
        else:
            answer = api.request("POST", "/v1/commands", {"at": at, "most": most})
            commands = [codec.from_data(Command, each) for each in answer]
    paint = terminal.paint_for(terminal.stdout())
    if verify:
        if words.said.json:
            terminal.as_json(codec.to_data(report))
        else:
            terminal.data(render.checked(report, here.client, paint))
        return 1 if report.fault else 0
    if words.said.json:
        terminal.as_json([codec.to_data(each) for each in commands])
    else:
        terminal.data(render.lines(commands, paint, terminal.local_zone()))
    return 0
