"""`anden status`."""

import time
from pathlib import Path

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.options import PLACE, Words, common
from anden.cli.render import status as render
from anden.cli.render.words import count
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.report import StatusReport


@click.command("status")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--instances", "-i", is_flag=True, help="Show every instance with its zone, address and state.")
@click.option("--drift", is_flag=True, help="Find out first what was changed by hand; on AWS that takes minutes.")
@common(*PLACE)
@click.pass_obj
def command(words: Words, folder: Path | None, instances: bool, drift: bool) -> int:
    """What runs of the environment in FOLDER, how it is, and what is wrong with it."""
    here = place.running(words.said, folder)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        with waiting("comparing what stands with its templates" if drift else "looking at what runs"):
            report = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": here.at(), "drift": drift}))
        now = api.now()
        terminal.note(api.note)
    if words.said.json:
        terminal.as_json(codec.to_data(report))
        return 0
    if here.problems:
        wrong = count(len(here.problems), "problem")
        terminal.progress().say(f"! {here.file} has {wrong} (anden check), so nothing is compared with it")
    paint = terminal.paint_for(terminal.stdout())
    terminal.data(render.lines(report, now or time.time(), paint, instances=instances, drift=drift))
    return 0
