"""`anden deploy`."""

import click

from anden.cli import change
from anden.cli.completion import services
from anden.cli.options import PLACE, Words, common


@click.command("deploy")
@click.argument("service", shell_complete=services)
@click.argument("image")
@common(*PLACE)
@click.pass_obj
def command(words: Words, service: str, image: str) -> int:
    """Put IMAGE of SERVICE in place, rolling, never below the base.

    It stays beside the manifest: `anden status` shows it, and the next `anden up` asks about it. A version that does
    not become healthy is rolled back by itself.
    """
    return change.run(words.said, "/v1/deploy", {"service": service, "image": image}, f"anden deploy {service} {image}")
