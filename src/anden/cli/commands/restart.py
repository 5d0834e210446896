"""`anden restart`."""

import click

from anden.cli import change
from anden.cli.completion import services
from anden.cli.options import PLACE, Words, common


@click.command("restart")
@click.argument("service", required=False, shell_complete=services)
@common(*PLACE)
@click.pass_obj
def command(words: Words, service: str | None) -> int:
    """Replace the instances of SERVICE, or of all, by the same again; rolling, never below the base."""
    again = "anden restart" + (f" {service}" if service else "")
    return change.run(words.said, "/v1/restart", {"service": service}, again)
