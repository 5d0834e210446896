"""`anden serve`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE
from anden.cli.options import Words, common

PORT = 7070
HIGHEST_PORT = 65535


@click.command("serve")
@click.option("--port", type=click.IntRange(1, HIGHEST_PORT), default=PORT, show_default=True, help="On 127.0.0.1.")
@common("folder", "client", "engine")
@click.pass_obj
def command(words: Words, port: int) -> int:
    """Run the client's control plane in the foreground; Ctrl-C ends it, what runs goes on running.

    It answers on the state folder's Unix socket as always, and over TCP on 127.0.0.1 behind a token that lies in a file
    which only its owner reads. `/docs` describes the API.
    """
    if words.said.client:
        client = words.said.client
    else:
        folder, file = place.locate(words.said, None)
        client = place.client_of(place.text_of(folder, file), folder)
    out = terminal.progress()

    def ready(lines: list[str]) -> None:
        for line in lines:
            out.say(line)

    app.serve(client, words.said.on, port, ready)
    return DONE
