"""`anden schema`."""

import click

from anden import manifest
from anden.cli import terminal
from anden.cli.options import common


@click.command("schema")
@common("json")
def command() -> None:
    """Print the JSON Schema of anden.yaml on stdout.

    For editors: save it, and begin the manifest with `# yaml-language-server: $schema=FILE`.
    """
    terminal.as_json(manifest.schema())
