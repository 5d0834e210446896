"""`anden up`."""

from pathlib import Path

import click

from anden import app
from anden.cli import place, saved, standing, stream, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import events
from anden.cli.render import ready as render
from anden.model import codec
from anden.model.command import Outcome
from anden.model.manners import BY_NAME

FLAGS = {"keep": "--yes", "revert": "--revert", "adopt": "--adopt"}
"""Which flag gives which answer."""


@click.command("up")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--gateway", metavar="HOST:PORT", help="Where the gateway answers; 127.0.0.1:8080 or the next free port.")
@click.option("--revert", is_flag=True, help="Take the manifest's images where others were deployed since.")
@click.option("--adopt", is_flag=True, help="Take over an environment that another folder's manifest brought up.")
@click.option(
    "--as", "manners", type=click.Choice(tuple(BY_NAME)), help="Whose manners it has, from now on; the twin's at first."
)
@click.option(
    "--plan",
    "plan",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Do exactly what `anden plan --save FILE` has prepared, or nothing.",
)
@click.option("--with-datacentre", is_flag=True, help="Have the twin's data centre stand on the other side of links.")
@common(*PLACE, "no_input", "yes")
@click.pass_obj
def command(
    words: Words, folder: Path | None, gateway: str | None, revert: bool, adopt: bool, manners: str | None,
    plan: Path | None, with_datacentre: bool,
) -> int:  # fmt: skip
    """Make what runs be what the manifest in FOLDER says.

    New instances serve only after they are healthy, and never fewer than the base serve. A version that does not
    become healthy is rolled back by itself. Images that were deployed beside the manifest are shown and asked about:
    --yes keeps them, --revert takes the manifest's. Ctrl-C stops where it is; `anden up` continues.

    With --as aws the environment is as strict as AWS where the twin is kinder: nothing is tried again, an instance
    takes 30 to 60 s to start, idle connections end. It stays so until --as twin.
    """
    said = words.said
    if revert and said.yes:
        raise click.UsageError("--yes keeps deployed images and --revert takes the manifest's: say one of them.")
    here = place.with_manifest(said, folder)
    approved = codec.to_data(saved.read(plan)) if plan is not None else None
    deployed = "revert" if revert else "keep" if said.yes else "ask"
    columns = events.columns_for(here.services)
    with app.connect(here.client, here.engine, start=True) as api:
        terminal.note(api.note)
        try:
            while True:
                body = {
                    "at": here.at(), "gateway": gateway, "deployed": deployed, "adopt": adopt, "manners": manners,
                    "plan": approved,
                }  # fmt: skip
                ended = stream.follow(api.stream("POST", "/v1/up", body), columns)
                if ended.asked is None:
                    break
                answer = stream.decide(ended.asked, said, FLAGS)
                if answer not in FLAGS:
                    return ERROR
                deployed, adopt = (deployed, True) if answer == "adopt" else (answer, adopt)
            if with_datacentre and ended.outcome is Outcome.DONE:
                beyond = stream.follow(api.stream("POST", "/v1/links/datacentre", {"at": here.at()}), columns)
                if beyond.outcome is not Outcome.DONE:
                    return stream.finish(beyond, said)
        except stream.Cancelled:
            return standing.cancelled(api, here, "anden up")
    if ended.outcome is Outcome.DONE and ended.report and not said.json:
        shown = terminal.paint_for(terminal.stdout())
        terminal.data(render.ready(ended.report, ended.took_s, shown))
        elsewhere = "" if here.folder == Path.cwd() else str(folder or said.folder)
        hint = render.hint(here.topology, said.environment, here.engine, app.called(), elsewhere)
        if hint:
            terminal.progress().say(hint)
    return DONE if stream.finish(ended, said) == DONE else ERROR
