"""`anden check`."""

from pathlib import Path

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.options import Words, common
from anden.cli.render import check as render


@click.command("check")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@common("folder", "json")
@click.pass_obj
def command(words: Words, folder: Path | None) -> int:
    """Read the manifest in FOLDER and say everything that is wrong with it.

    Every problem at once, each with its line and its fix; for all environments. Needs no root and changes nothing.
    Exit: 0 when there is no problem, else 1.
    """
    where, file = place.locate(words.said, folder)
    report = app.check(place.text_of(where, file), where, file, place.overrides(where))
    if words.said.json:
        from anden.model import codec  # noqa: PLC0415 - it is slow to load, and people read lines

        terminal.as_json(codec.to_data(report))
    else:
        out = terminal.progress()
        for line in render.said(report, out.paint):
            out.say(line)
        if not report.problems:
            terminal.data([render.summary(report)])
    return 1 if report.problems else 0
