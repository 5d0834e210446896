"""`anden exec`."""

import base64
import sys

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.completion import services
from anden.cli.options import PLACE, Words, common
from anden.model import codec
from anden.model.ports import Exec

MOST_STDIN_BYTES = 4 << 20
"""The API takes 8 MiB; base64 makes a third more of it."""


class Running(click.Command):
    """Without `--`, everything after INSTANCE belongs to what is run; with it, everything after `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's."""
        ctx.allow_interspersed_args = "--" in args
        return super().parse_args(ctx, args)


@click.command("exec", cls=Running)
@click.argument("instance", shell_complete=services)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-i", "--stdin", "feed", is_flag=True, help="Send this command's stdin, whole, before it starts.")
@click.option("-t", "terminal_wanted", is_flag=True, help="Refused: there is no terminal allocation.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0.1, 3600), default=60.0, show_default=True,
    help="Seconds; the command is killed then.",
)  # fmt: skip
@common(*PLACE)
@click.pass_obj
def command(
    words: Words, instance: str, argv: tuple[str, ...], feed: bool, terminal_wanted: bool, timeout_s: float
) -> int:
    """Run ARGV inside INSTANCE (accounts-1), or in the first healthy instance of a service (accounts).

    It has the instance's user, limits and network, and its exit code is ours: `anden exec accounts -- python3 -V`.

    There is no terminal: what it writes comes when it has ended.
    """
    if terminal_wanted:
        raise click.UsageError("-t is refused: anden allocates no terminal in an instance. Use -i to send stdin.")
    here = place.running(words.said)
    given = sys.stdin.buffer.read(MOST_STDIN_BYTES + 1) if feed else b""
    if len(given) > MOST_STDIN_BYTES:
        raise click.UsageError(f"stdin is larger than {MOST_STDIN_BYTES >> 20} MB.")
    body = {
        "at": here.at(with_manifest=False), "instance": instance, "argv": [*argv],
        "stdin": base64.b64encode(given).decode(), "timeout_s": timeout_s,
    }  # fmt: skip
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        stream = api.stream("POST", "/v1/exec", body)
        try:
            done = codec.from_data(Exec, next(stream))
        finally:
            stream.close()  # who leaves ends the command, where the engine can
    if words.said.json:
        terminal.as_json(codec.to_data(done))
    else:
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
        sys.stderr.write(done.stderr)
        if done.cut:
            sys.stderr.write("\n! the output was cut\n")
    return done.code if done.code >= 0 else 128 - done.code
