"""`anden prove egress`."""

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import egress as render
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.report import EgressReport


@click.group("prove")
def command() -> None:
    """Prove what is declared by really trying it."""


@command.command("egress")
@common(*PLACE)
@click.pass_obj
def egress(words: Words) -> int:
    """From which address every service leaves, in every zone, to every destination: declared against seen.

    A server on the environment's internet side says which address it saw. Exit: 1 when one is not as declared.
    """
    here = place.running(words.said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        with waiting("trying every way out"):
            report = codec.from_data(EgressReport, api.request("POST", "/v1/prove-egress", {"at": here.at()}))
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.lines(report, terminal.paint_for(terminal.stdout())))
    return ERROR if render.failures(report) else DONE
