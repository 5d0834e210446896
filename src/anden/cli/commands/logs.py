"""`anden logs`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.completion import logged
from anden.cli.main import DONE
from anden.cli.moment import moment
from anden.cli.options import PLACE, Words, common
from anden.cli.render import logs as render
from anden.model import codec
from anden.model.log import LogLine

LINES = 100
MOST_LINES = 10_000
"""What one call may ask for; what is older lies in the environment's log files."""


@click.command("logs")
@click.argument("service", required=False, shell_complete=logged)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines as they come.")
@click.option("-n", "--lines", type=click.IntRange(0, MOST_LINES), help="How many; 100 if not said.")
@click.option(
    "--since",
    metavar="WHEN",
    help=f"10m, 2h, 1d ago, or 2026-11-26T14:00; without -n then all since, {MOST_LINES:,} at most.",
)
@common(*PLACE)
@click.pass_obj
def command(words: Words, service: str | None, follow: bool, lines: int | None, since: str | None) -> int:
    """What the instances of SERVICE wrote, or one instance (accounts-1), or all; or `gateway`: who asked for what.

    With --json one JSON document a line. A line that is JSON itself is shown as it is.
    """
    here = place.running(words.said)
    paint, zone = terminal.paint_for(terminal.stdout()), terminal.local_zone()
    numbers = {name: index for index, name in enumerate(here.services)}
    if lines is None:
        lines = LINES if since is None else MOST_LINES
    body: dict[str, object] = {"at": here.at(with_manifest=False), "service": service, "lines": lines, "follow": follow}
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        if since is not None:
            try:
                body["since"] = moment(since, api.now(), None)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint="--since") from error
        stream = api.stream("POST", "/v1/logs", body)
        any_line = False
        try:
            for data in stream:
                any_line = True
                if words.said.json:
                    terminal.json_line(data)
                else:
                    terminal.data([render.line(codec.from_data(LogLine, data), paint, zone, numbers)])
        except KeyboardInterrupt:
            return DONE  # the way to end -f; nothing was changed
        finally:
            stream.close()
    if not any_line:
        terminal.progress().say("no lines: nothing runs, or it wrote nothing" + (f" since {since}" if since else ""))
    return DONE
