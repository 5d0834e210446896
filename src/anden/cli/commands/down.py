"""`anden down`."""

from pathlib import Path

import click

from anden import app
from anden.cli import place, standing, stream, terminal
from anden.cli.options import PLACE, Words, common
from anden.cli.render import events, status, words
from anden.model import codec
from anden.model.command import Outcome
from anden.model.report import StatusReport
from anden.model.stack import Kept


@click.command("down")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--release", is_flag=True, help="Give up, for ever, what would be kept: fixed addresses and the key.")
@common(*PLACE, "no_input", "yes")
@click.pass_obj
def command(words_: Words, folder: Path | None, release: bool) -> int:
    """End the environment of the manifest in FOLDER and leave nothing of it: no process, mount, network or file.

    The record of commands stays, and on AWS the fixed addresses and the key, which the next `up` uses again: --release
    gives them up. Asks first when the environment is production, or something is released; --yes answers.
    """
    said = words_.said
    here = place.running(said, folder)
    name = status.label(here.client, here.environment or "", here.engine)
    kept = _kept(here) if release else ()
    if kept:
        stream.confirm(f"End {name} and give up for ever: {', '.join(each.what for each in kept)}", said)
    elif here.topology is None or here.topology.production:
        stream.confirm(f"End {name}", said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        try:
            body = {"at": here.at(with_manifest=False), "release": release}
            ended = stream.follow(api.stream("POST", "/v1/down", body), events.columns_for(here.services))
        except stream.Cancelled:
            return standing.cancelled(api, here, "anden down")
    if ended.outcome is Outcome.DONE and not said.json:
        terminal.data([f"{name}: {ended.text}" if ended.text else f"{name} is gone, in {words.seconds(ended.took_s)}"])
    return stream.finish(ended, said)


def _kept(here: place.Place) -> tuple[Kept, ...]:
    """What a release would give up."""
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        return codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": here.at()})).kept
