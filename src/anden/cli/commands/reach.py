"""`anden reach`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.completion import ends
from anden.cli.main import DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import reach as render
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.report import ReachReport

LINK = "link:"
"""Before a link's name."""
MOST_PORT = 65535


@click.command("reach")
@click.argument("caller", required=False, metavar="[FROM]", shell_complete=ends)
@click.argument("callee", required=False, metavar="[TO[:PORT]]", shell_complete=ends)
@click.option("--live", is_flag=True, help="Really try it from the instances' networks as well.")
@click.option("--matrix", is_flag=True, help="Everyone against everyone, as a table; the same as no FROM and TO.")
@common(*PLACE)
@click.pass_obj
def command(words: Words, caller: str | None, callee: str | None, live: bool, matrix: bool) -> int:
    """Who reaches whom, through which hops, and why not.

    FROM is a service, TO a service or a destination of the manifest, PORT its own when not given; link:NAME:PORT is
    what lies behind a link on that port. FROM may be link:NAME, for whoever is behind that link. Computed from the
    manifest as it is now; with --live from what runs, and also tried in it.
    Exit: 1 when a live probe saw something else than was computed.
    """
    if matrix and caller:
        raise click.UsageError("--matrix takes no FROM and TO.")
    if caller and not callee:
        raise click.UsageError(f"Reach what from {caller}? Say FROM and TO, or neither for the whole matrix.")
    callee, port = target(callee)
    here = place.running(words.said) if live else place.with_manifest(words.said)
    body = {"at": here.at(), "caller": caller, "callee": callee, "port": port, "live": live}
    session = app.connect(here.client, here.engine, start=False, seen=True) if live else None
    with session or app.consider(here.client, here.engine) as api:
        terminal.note(api.note)
        with waiting("trying it" if live else "computing it"):
            report = codec.from_data(ReachReport, api.request("POST", "/v1/reach", body))
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.lines(report, terminal.paint_for(terminal.stdout()), matrix=caller is None))
    return ERROR if render.disagreements(report) else DONE


def target(text: str | None) -> tuple[str | None, int | None]:
    """`ledger:8080` as its two parts; `link:core` and `link:core:8443` as well."""
    prefix = LINK if text is not None and text.startswith(LINK) else ""
    if text is None or ":" not in text.removeprefix(prefix):
        return text, None
    name, _, port = text.rpartition(":")
    if not port.isdigit() or not 1 <= int(port) <= MOST_PORT:
        raise click.UsageError(f"{port or 'nothing'} is not a port: ports run from 1 to {MOST_PORT}.")
    return name, int(port)
