"""`anden cost`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE
from anden.cli.options import PLACE, Function, Words, common
from anden.cli.render import cost as render
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.cost import Assumed, flag, helps
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems


def _assumptions(function: Function) -> Function:
    """An option for each assumption."""
    for name, (default, text) in list(helps().items())[::-1]:
        option: Callable[[Any], Any] = click.option(
            flag(name), name, type=click.FloatRange(min=0), default=default, show_default=True, help=text
        )
        function = option(function)
    return function


@click.command("cost")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--lines", is_flag=True, help="Show every line with its quantity, price and the price's page.")
@_assumptions
@common(*PLACE)
@click.pass_obj
def command(words: Words, /, folder: Path | None, lines: bool, **assumed: float) -> int:
    """What an environment would cost on AWS in a month, at base and at max, by family.

    Computed from the manifest in FOLDER and a table of list prices that ships with anden; nothing is asked of AWS.
    What a manifest does not say is assumed, by the options with their defaults.
    """
    if words.said.engine not in (None, EngineName.AWS):
        raise Problems(Problem(f"--on {words.said.engine}", "costs nothing", "only AWS does", "Leave --on."))
    words.said.engine = EngineName.AWS
    here = place.with_manifest(words.said, folder)
    with waiting("counting what is paid for"):
        report = app.cost(here.meaning(), Assumed(**assumed))
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.text(report, terminal.paint_for(terminal.stdout()), lines=lines))
    return DONE
