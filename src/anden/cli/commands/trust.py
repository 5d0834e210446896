"""`anden trust`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import CHANGES, DONE
from anden.cli.options import Words, common
from anden.cli.render import trust as render
from anden.model import codec
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems


@click.command("trust")
@click.option("--remove", is_flag=True, help="Take it out of the system's store again.")
@common("folder", "environment", "engine", "client", "json", "yes")
@click.pass_obj
def command(words: Words, remove: bool) -> int:
    """Have this machine trust the authority that signs the certificates of this client's gateways on the twin.

    Without --yes it says which file would go where, and what that means, and changes nothing. With --yes the
    authority's certificate goes into the system's store. Exit: 0, 1 on an error, 3 when something would be changed.
    """
    here = place.anywhere(words.said)
    if here.engine is not EngineName.LOCAL:
        what, why = "has no authority of its own", "on AWS the gateway shows ACM's certificate, which is trusted anyway"
        raise Problems(Problem(f"--on {here.engine}", what, why, "Leave --on out."))
    paint = terminal.paint_for(terminal.stdout())
    if remove:
        gone = app.distrust(here.client)
        if words.said.json:
            terminal.as_json({"client": here.client, "removed": list(gone)})
        else:
            terminal.data(render.removed(here.client, gone))
        return DONE
    found = app.trust(here.client, install=words.said.yes)
    if words.said.json:
        terminal.as_json(codec.to_data(found))
    else:
        terminal.data(render.lines(found, app.by_hand(found), paint))
    return DONE if found.trusted else CHANGES
