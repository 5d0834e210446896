"""`anden render`."""

from pathlib import Path

import click

from anden import app
from anden.cli import folder as rendered
from anden.cli import place, terminal
from anden.cli.main import DONE
from anden.cli.options import PLACE, Words, common
from anden.cli.render import rendering as render
from anden.model import codec
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.problem import Problem, Problems


@click.command("render")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", "output", metavar="DIR", required=True, type=click.Path(path_type=Path),
              help="Where the files go; made when it is not there.")  # fmt: skip
@common(*PLACE, "yes")
@click.pass_obj
def command(words: Words, folder: Path | None, output: Path) -> int:
    """Write what an engine would apply for the manifest in FOLDER, and apply nothing.

    With --on aws a CloudFormation template for each stack, and the order in which they are made, for a team that
    deploys them by a pipeline of its own; no credentials are looked for. With --on local what the twin writes.
    A second time addresses stay where they are, and what was changed by hand since is lost only with --yes.
    """
    here = place.with_manifest(words.said, folder)
    if here.topology is None or here.read is None:
        raise Problems(_no_environment(here))
    meaning = here.meaning()
    topology, marks, overrides = meaning.topology, meaning.marks, meaning.overrides
    if here.engine is not EngineName.AWS:
        overrides = ()
    key = EnvironmentKey(here.client, topology.environment, here.engine)
    before = rendered.kept(output, key)
    made = app.render(topology, marks, here.folder, here.engine, before.blueprint, overrides)
    files = {**made.files, rendered.BLUEPRINT: codec.to_json(made.blueprint, indent=1) + "\n"}
    edited = rendered.edited(output, before, files)
    if edited and not words.said.yes:
        raise Problems(_edited(output / name) for name in edited)
    changes = rendered.changes(before, files)
    rendered.write(output, key, before, files)
    if words.said.json:
        terminal.as_json(render.data(made, output, changes))
    else:
        terminal.data(render.lines(made, key, output, changes, terminal.paint_for(terminal.stdout())))
    return DONE


def _no_environment(here: place.Place) -> Problem:
    names = ", ".join(here.read.environments) if here.read else ""
    return Problem(
        f"environment {here.environment}", "the manifest has none of this name", names, "Choose one with -e."
    )


def _edited(path: Path) -> Problem:
    why = "what is changed there is lost when it is written anew"
    return Problem(str(path), "was changed by hand", why, "Change the manifest instead; --yes overwrites it.")
