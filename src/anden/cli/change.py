"""Commands that change what runs and work from the target, without the manifest: deploy, scale, rollback, restart."""

from typing import Any

from anden import app
from anden.cli import place, standing, stream, terminal
from anden.cli.options import Said
from anden.cli.render import events, words
from anden.model.command import Outcome


def run(said: Said, path: str, body: dict[str, Any], again: str) -> int:
    """Ask for it and follow it to its end. `again`: the words that continue it after Ctrl-C. Returns the exit code."""
    here = place.running(said)
    columns = events.columns_for(here.services)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        try:
            ended = stream.follow(api.stream("POST", path, {"at": here.at(with_manifest=False), **body}), columns)
        except stream.Cancelled:
            return standing.cancelled(api, here, again)
    if ended.outcome is Outcome.DONE and not said.json:
        terminal.data([f"Done in {words.seconds(ended.took_s)}"])
    return stream.finish(ended, said)
