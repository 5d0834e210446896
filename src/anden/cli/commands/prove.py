"""`anden prove egress`, `anden prove links`, `anden prove reach`."""

from dataclasses import replace

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE, ERROR
from anden.cli.options import PLACE, Words, common
from anden.cli.render import egress as render
from anden.cli.render import links as tunnels
from anden.cli.render import reach as ways
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.problem import Problems
from anden.model.report import EgressReport, LinksReport, ReachReport


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


@command.command("links")
@common(*PLACE)
@click.pass_obj
def links(words: Words) -> int:
    """Whom the other side of every link sees, for every service that reaches something there: declared against seen.
    And what may begin there, in every zone: dialled from where it may, and from where it may not.

    Exit: 1 when one is not as declared, when nothing can be proved, or when a link has no tunnel that is up.
    """
    here = place.running(words.said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        with waiting("trying every way through a link"):
            report = codec.from_data(LinksReport, api.request("POST", "/v1/prove-links", {"at": here.at()}))
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        paint = terminal.paint_for(terminal.stdout())
        terminal.data([*tunnels.lines(report.links, report.at, paint), *render.ways(report, paint, "through a link")])
        terminal.data(render.dialled(report, paint))
    down = [each for each in report.links if each.by is None]
    nothing = not report.proofs and not report.incoming
    return ERROR if down or nothing or render.failures(report) or render.undeclared(report) else DONE


@command.command("reach")
@common(*PLACE)
@click.pass_obj
def reach(words: Words) -> int:
    """Try every service against every other one and every destination: computed against seen.

    A caller at a time, from one of its instances that serves; tries of a caller run side by side, a bounded number.
    Exit: 1 when one is not as computed.
    """
    here = place.running(words.said)
    out = terminal.progress()
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        body = {"at": here.at(), "caller": None, "callee": None, "port": None, "live": False}
        computed = codec.from_data(ReachReport, api.request("POST", "/v1/reach", body))
        found: list[ReachReport] = []
        left: list[str] = []
        for caller in dict.fromkeys(path.caller for path in computed.paths):
            try:
                with waiting(f"trying what {caller} reaches"):
                    answer = api.request("POST", "/v1/reach", {**body, "caller": caller, "live": True})
            except Problems as problems:
                left.append(f"{caller}: {problems.problems[0].what}")
                continue
            found.append(codec.from_data(ReachReport, answer))
            out.say(ways.caller_line(caller, found[-1], out.paint))
    report = replace(
        computed,
        paths=tuple(path for each in found for path in each.paths),
        probed=tuple(one for each in found for one in each.probed),
        hops=tuple(one for each in found for one in each.hops),
    )
    if words.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(ways.proof_lines(report, left, terminal.paint_for(terminal.stdout())))
    return ERROR if left or ways.disagreements(report) or not report.probed else DONE
