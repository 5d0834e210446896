"""`anden account`."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from anden import app
from anden.cli import place, stream, terminal
from anden.cli.main import CANCELLED, DONE, ERROR
from anden.cli.options import Words, common
from anden.cli.render import account as render
from anden.cli.render import events
from anden.cli.waiting import waiting
from anden.model import codec
from anden.model.account import AccountPlan, AccountReport
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology

DIGITS = re.compile(r"[0-9]{12}")
HERE = ("folder", "environment", "client", "json")


def _account(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    if value and not DIGITS.fullmatch(value):
        raise click.BadParameter("an account has 12 digits")
    return value or ""


def _wishes(function: Callable[..., int]) -> Callable[..., int]:
    options = (
        click.option("--repository", metavar="OWNER/NAME", help="On GitHub: its workflows may deploy."),
        click.option("--deploys", metavar="SUBJECT", help="Which of them: environment:production by default."),
        click.option("--people", metavar="ACCOUNT", callback=_account,
                     help="The account that people's identities live in; the client's own by default."),
        click.option("--budget", metavar="USD", type=click.IntRange(min=1), help="What a month may cost."),
        click.option("--email", metavar="ADDRESS", help="Who hears of what it costs."),
        click.option("--account-email", metavar="ADDRESS", help="The address of a new account; nobody else's."),
        click.option("--parent", metavar="UNIT", help="The organizational unit of a new account; the root by default."),
        click.option("--log-account", metavar="ACCOUNT", callback=_account,
                     help="The organization's log account, where there is one."),
        click.option("--access-role", metavar="ROLE",
                     help="By which the management account enters it; OrganizationAccountAccessRole by default."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@click.group("account")
def command() -> None:
    """A client's account on AWS, before anything runs in it."""


@command.command("plan")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@_wishes
@common(*HERE)
@click.pass_obj
def plan(words: Words, /, folder: Path | None, **wished: Any) -> int:
    """What `bootstrap` would do, and what the account holds already.

    With credentials of the client's own account, or of its organization's management account: then the account may
    still be missing. Nothing is changed. Exit: 1 when something stands in the way.
    """
    here = place.with_manifest(words.said, folder)
    with _opened(here, wished) as account, waiting("looking at the account"):
        found = account.plan()
    if words.said.json:
        terminal.as_json(codec.to_data(found))
    else:
        terminal.data(render.plan(found, terminal.paint_for(terminal.stdout())))
    return ERROR if found.problems else DONE


@command.command("bootstrap")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@_wishes
@common(*HERE, "no_input", "yes")
@click.pass_obj
def bootstrap(words: Words, /, folder: Path | None, **wished: Any) -> int:
    """Set a client's account up, after showing what that does: state, roles, boundary, budget, the watch over it.

    With credentials of the organization's management account the account is made, if the manifest names none, and put
    under guardrails. What somebody else has made there is shown and left alone. Whatever interrupts it, run it again.
    """
    said = words.said
    here = place.with_manifest(said, folder)
    with _opened(here, wished) as account:
        with waiting("looking at the account"):
            shown = account.plan(keep=True)
        err = terminal.progress()
        for line in render.plan(shown, err.paint):
            err.say(line)
        if shown.problems:
            report = AccountReport(shown, shown.account, (), problem=shown.problems[0])
            if said.json:
                terminal.as_json(codec.to_data(report))
            return ERROR
        if shown.changes:
            stream.confirm(render.question(shown), said)
        ended = _followed(account, shown)
    if ended is None:
        err.say("cancelled; what AWS has in work goes on there, and `anden account bootstrap` continues")
        return CANCELLED
    report = ended
    if said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.done(report, here.environment, terminal.paint_for(terminal.stdout())))
    if report.problem is not None:
        raise Problems(report.problem)
    return DONE


def _followed(account: app.Account, shown: AccountPlan) -> AccountReport | None:
    """None: Ctrl-C."""
    err, columns = terminal.progress(), events.columns_for([])
    told = account.run(shown)
    try:
        for event in told:
            if isinstance(event, AccountReport):
                return event
            columns = columns.fitting(event)
            err.say(events.line(event, columns, err.paint))
    except KeyboardInterrupt:
        return None
    raise RuntimeError("it ended without a report")


def _opened(here: place.Place, wished: dict[str, Any]) -> Any:
    topology, others = _environments(here)
    values = {
        "Repository": wished["repository"], "Deploys": wished["deploys"], "PeopleAccount": wished["people"],
        "BudgetUsd": str(wished["budget"] or ""), "Email": wished["email"], "AccountEmail": wished["account_email"],
        "Parent": wished["parent"],
    }  # fmt: skip
    given = {name: value for name, value in values.items() if value}
    return app.account(topology, others, here.engine, given, wished["log_account"], wished["access_role"] or "")


def _environments(here: place.Place) -> tuple[Topology, tuple[Topology, ...]]:
    """The one that is meant, and the client's others in the same account. Raises Problems: none has the name."""
    if here.topology is None or here.read is None:
        known = ", ".join(here.read.environments) if here.read else ""
        raise Problems(
            Problem(f"environment {here.environment}", "the manifest has none of this name", known, "Choose with -e.")
        )
    mine, others = here.topology, []
    for name, each in here.read.topologies.items():
        if name != mine.environment and each.region is not None and each.account in (mine.account, None):
            others.append(each)
    return mine, tuple(others)
