"""`anden version`."""

import sys

import click

import anden
from anden.cli import terminal
from anden.cli.options import Words, common


@click.command("version")
@common("json")
@click.pass_obj
def command(words: Words) -> None:
    """Print the version of anden, and of the Python that runs it."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    if words.said.json:
        terminal.as_json({"version": anden.__version__, "python": python})
    else:
        terminal.data([f"anden {anden.__version__} (Python {python})"])
