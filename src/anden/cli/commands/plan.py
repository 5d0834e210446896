"""`anden plan`."""

from pathlib import Path

import click

from anden import app
from anden.cli import place, saved, terminal
from anden.cli.main import CHANGES, DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import approval
from anden.cli.render import plan as render
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.ids import EngineName
from anden.model.report import PlanReport


@click.command("plan")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--steps", is_flag=True, help="Show the whole rollout, step by step.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 when there are changes.")
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="On AWS: prepare the change sets, and write what `up --plan FILE` then does, for approval.",
)
@common(*PLACE)
@click.pass_obj
def command(words: Words, folder: Path | None, steps: bool, exit_code: bool, save: Path | None) -> int:
    """What `up` would do with the manifest in FOLDER, and why.

    Compared with what is the target now; with nothing, when nothing was ever brought up or nothing can be seen
    without root. Exit: 0, 1 when something blocks it, 3 when there are changes and --exit-code asks.
    """
    here = place.with_manifest(words.said, folder)
    if save is not None and here.engine is not EngineName.AWS:
        raise click.UsageError("--save is for AWS: elsewhere nothing can be prepared before it is done.")
    with app.connect(here.client, here.engine, start=False) as api:
        with waiting("planning" if save is None else "preparing change sets"):
            answer = api.request("POST", "/v1/plan", {"at": here.at(), "prepare": save is not None})
        report = codec.from_data(PlanReport, answer)
        terminal.note(api.note)
    if save is not None and report.saved is not None:
        saved.write(save, report.saved)
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        account = here.topology.account if here.topology and here.engine is EngineName.AWS else None
        paint = terminal.paint_for(terminal.stdout())
        terminal.data(render.lines(report, paint, steps=steps, account=account or ""))
        if save is not None and report.saved is not None:
            terminal.data(approval.lines(report.saved, paint))
            terminal.progress().say(approval.saved(report.saved, str(save)))
    if report.problems:
        return ERROR
    return CHANGES if exit_code and report.changes else DONE
