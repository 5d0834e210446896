"""`anden scale`."""

import click

from anden.cli import change
from anden.cli.completion import services
from anden.cli.options import PLACE, Words, common


@click.command("scale")
@click.argument("service", shell_complete=services)
@click.argument("level", type=click.IntRange(min=0))
@common(*PLACE)
@click.pass_obj
def command(words: Words, service: str, level: int) -> int:
    """Move SERVICE to LEVEL instances, within the range that its manifest contracts (base..max)."""
    return change.run(words.said, "/v1/scale", {"service": service, "level": level}, f"anden scale {service} {level}")
