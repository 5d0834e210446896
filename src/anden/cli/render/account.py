"""`anden account plan` and `bootstrap`."""

from collections.abc import Iterator

from anden.cli.render import problems, words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.table import columns
from anden.model.account import AccountPlan, AccountReport, AccountStack
from anden.model.plan import Action

MOST_RESOURCES = 6
"""Resources that a line names before it only counts them; `--json` has them all."""
NEW = "new account"


def plan(report: AccountPlan, paint: Paint) -> list[str]:
    """The heading, a line for each stack, what is there and stays, what a person does, what blocks, and a summary."""
    whose = f"{report.client}, aws {report.account or NEW}, {report.region}"
    whose += f", organization of {report.management}" if report.management else ""
    said = [paint.strong(whose)]
    rows = [_row(each, paint) for each in report.stacks]
    said += columns(rows) if rows else []
    for each in report.stacks:
        said += [
            f"  {paint.sign('!')} {each.name}: {change.resource} ({change.kind}) "
            + ("goes" if change.action is Action.DELETE else "is replaced, or may be")
            for change in each.changes
            if change.replaces or change.action is Action.DELETE
        ]
    for found in report.foreign:
        more = found.count - len(found.names)
        named = ", ".join(clean(name) for name in found.names) + (f" and {more} more" if more > 0 else "")
        said.append(f"{paint.sign('=')} left alone: {found.what}: {named}")
    said += [f"{paint.sign('!')} not read: {clean(each)}" for each in report.unread]
    said += [f"{paint.sign('≠')} {each}" for each in report.notes]
    said += [f"{paint.sign('…')} by hand, once: {paint.link(each)}" for each in report.by_hand]
    said += [f"{paint.sign('✗')} {problems.line(each, paint)}" for each in report.problems]
    return [*said, summary(report)]


def _row(stack: AccountStack, paint: Paint) -> list[str]:
    where = f"{stack.account or NEW} {stack.region}"
    if stack.action is None:
        return [f"{paint.sign('=')} {stack.name}", paint.dim(where), "stands as it should"]
    return [f"{paint.sign(stack.action)} {stack.name}", paint.dim(where), f"{stack.what}: {_resources(stack)}"]


def _resources(stack: AccountStack) -> str:
    """`Key, Bucket, Role ×4 and 3 more`, by type."""
    counted: dict[str, int] = {}
    for each in stack.changes:
        name = each.kind.rpartition("::")[2]
        counted[name] = counted.get(name, 0) + 1
    named = [name + (f" ×{number}" if number > 1 else "") for name, number in counted.items()]
    more = len(named) - MOST_RESOURCES
    return ", ".join(named[:MOST_RESOURCES]) + (f" and {words.count(more, 'other kind')}" if more > 0 else "")


def summary(report: AccountPlan) -> str:
    """`3 stacks to make, 1 to change`."""
    if report.problems:
        return f"Blocked by {words.count(len(report.problems), 'problem')}"
    if not report.changes:
        return "Nothing to do"
    made = sum(each.action is Action.CREATE for each in report.changes)
    changed = len(report.changes) - made
    parts = [f"{words.count(made, 'stack')} to make"] if made else []
    parts += [f"{words.count(changed, 'stack')} to change"] if changed else []
    return ", ".join(parts)


def question(report: AccountPlan) -> str:
    """What is asked before anything is done."""
    return f"Set up {report.account or 'a new account'} for {report.client}"


def done(report: AccountReport, environment: str | None, paint: Paint) -> list[str]:
    """How it ended, and what comes next."""
    return list(_done(report, environment, paint))


def _done(report: AccountReport, environment: str | None, paint: Paint) -> Iterator[str]:
    if report.problem is not None:
        yield (
            f"{words.count(len(report.done), 'stack')} stands; nothing after it was begun"
            if len(report.done) == 1
            else f"{words.count(len(report.done), 'stack')} stand; nothing after them was begun"
        )
        return
    client, sign = report.plan.client, paint.sign("✓")
    yield f"{sign} {client}'s account {report.account} is set up; its state lives in {report.state}"
    if not report.plan.account:
        named = f'account: "{report.account}"'
        yield f"Write it into the manifest: {paint.link(named)}"
    following = f"anden preflight -e {environment or 'ENVIRONMENT'} --on aws"
    yield f"Next: {paint.link(following)}"
