"""`anden down`."""

from pathlib import Path

import click

from anden import app
from anden.cli import place, standing, stream, terminal
from anden.cli.options import PLACE, Words, common
from anden.cli.render import events, status, words
from anden.model.command import Outcome


@click.command("down")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@common(*PLACE, "no_input", "yes")
@click.pass_obj
def command(words_: Words, folder: Path | None) -> int:
    """End the environment of the manifest in FOLDER and leave nothing of it: no process, mount, network or file.

    The record of commands stays. Asks first when the environment is production; --yes answers.
    """
    said = words_.said
    here = place.running(said, folder)
    name = status.label(here.client, here.environment or "", here.engine)
    if here.topology is None or here.topology.production:
        stream.confirm(f"End {name}", said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        try:
            body = {"at": here.at(with_manifest=False)}
            ended = stream.follow(api.stream("POST", "/v1/down", body), events.columns_for(here.services))
        except stream.Cancelled:
            return standing.cancelled(api, here, "anden down")
    if ended.outcome is Outcome.DONE and not said.json:
        terminal.data([f"{name}: {ended.text}" if ended.text else f"{name} is gone, in {words.seconds(ended.took_s)}"])
    return stream.finish(ended, said)
