"""`anden preflight`."""

from pathlib import Path

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import preflight as render
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems


@click.command("preflight")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Show every quota, also those that hold with room to spare.")
@click.option("--offline", is_flag=True, help="Do not ask the account; AWS's documented defaults count.")
@common(*PLACE)
@click.pass_obj
def command(words: Words, folder: Path | None, everything: bool, offline: bool) -> int:
    """What an AWS account lacks for an environment, before anything is created.

    What the stacks of the manifest in FOLDER need, at base, at max, and while everything is deployed at max, against
    the account's quotas and what others use of them. What cannot be read of the account has AWS's documented default.
    Exit: 1 when something will not hold.
    """
    if words.said.engine != EngineName.AWS:
        raise Problems(Problem("preflight", "is about AWS", "the other engines have no quotas", "Add `--on aws`."))
    here = place.with_manifest(words.said, folder)
    with waiting("computing needs" if offline else "asking the account for its quotas"):
        report = app.preflight(here.meaning(), ask=not offline)
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.text(report, terminal.paint_for(terminal.stdout()), everything=everything))
    return DONE if report.holds else ERROR
