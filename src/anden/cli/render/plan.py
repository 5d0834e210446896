"""`anden plan`."""

from anden.cli.render import cost, preflight, problems, words
from anden.cli.render.paint import Paint, clean
from anden.cli.render.status import label
from anden.cli.render.table import columns
from anden.model.image import Verdict
from anden.model.plan import (
    Action,
    ApplyStack,
    Configure,
    CopyImage,
    DeleteStack,
    Remove,
    StartInstance,
    Step,
    StopInstance,
)
from anden.model.report import PlanReport

MOST_NAMED = 8
"""Stacks, or services, that a line names before it only counts them; `--steps` shows all stacks."""


def lines(report: PlanReport, paint: Paint, *, steps: bool = False, account: str = "") -> list[str]:
    """The heading, one line a difference with its reason, the steps when asked, what this engine does differently,
    what blocks, and a summary. account: of AWS, where the manifest says it."""
    whose = label(report.client, report.environment, report.engine, report.manners)
    whose += f" {account}" if account else ""
    said = [paint.strong(f"{whose}, {_way(report)}")]
    rows = []
    for each in report.differences:
        why = ", ".join(str(part) for part in (each.mark, each.note) if part)
        rows.append([f"{paint.sign(each.action)} {each.subject}", each.text, paint.dim(why)])
    foresight = report.foresight
    rows += [
        [f"{paint.sign('✗')} quota", preflight.shortfall(each), ""] for each in foresight.shortfalls if each.guessed
    ]
    said += columns(rows)
    said += _stacks(report, paint)
    said += _scans(report, paint)
    if steps and report.steps:
        said += ["", paint.dim("the whole rollout, step by step, if every one succeeds:")]
        said += columns([[f"{paint.sign(step.action)} {step.address}", step.reason] for step in report.steps])
        said.append("")
    if report.kept:
        said.append(f"= kept, and used again: {', '.join(each.what for each in report.kept)}")
    said += [f"{paint.sign('≠')} {each.engine}: {each.subject}: {each.text}" for each in report.caveats]
    said += [f"{paint.sign('!')} {problems.line(each, paint)}" for each in report.warnings]
    said += [f"{paint.sign('✗')} {problems.line(each, paint)}" for each in report.problems]
    return [*said, summary(report)]


def _stacks(report: PlanReport, paint: Paint) -> list[str]:
    """`+ 7 stacks  network, data, firewall and 4 more`: what comes, what changes, what goes."""
    rows = []
    for action in Action:
        families = list(
            dict.fromkeys(step.address for step in report.steps if _of_stack(step) and step.action is action)
        )
        if families:
            rows.append([f"{paint.sign(action)} {words.count(len(families), 'stack')}", _listed(families)])
    return columns(rows)


def _scans(report: PlanReport, paint: Paint) -> list[str]:
    """A line for each image of which the registry's scan says something, and one for all that were not scanned yet."""
    rows = []
    for each in report.scans:
        its = f"{clean(each.service)} ({clean(each.name)})"
        match each.scan.verdict:
            case Verdict.FOUND:
                rows.append([f"{paint.sign('!')} scan", f"{its}: {each.scan.summary}"])
            case Verdict.CLEAN:
                rows.append(["  scan", f"{its}: nothing was found"])
            case Verdict.NONE:
                rows.append(["  scan", f"{its}: no verdict: {clean(each.scan.why)}"])
    waiting = [clean(each.service) for each in report.scans if each.scan.verdict is Verdict.PENDING]
    if waiting:
        rows.append(["  scan", f"not scanned yet: {_listed(waiting)}"])
    return columns(rows)


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _of_stack(step: Step) -> bool:
    return isinstance(step.effect, (ApplyStack, DeleteStack))


def _way(report: PlanReport) -> str:
    current, target = words.tag(report.current), words.tag(report.target)
    return current if report.current and current == target else f"{current} → {target}"


def summary(report: PlanReport) -> str:
    """`Starts 5, stops 2, changes the network; blocked by 1 problem`, or that there is nothing to do."""
    blocked = f"blocked by {words.count(len(report.problems), 'problem')}" if report.problems else ""
    if not report.changes:
        return f"Nothing to do: {blocked}" if blocked else "Nothing to do: what runs is what the manifest says"
    effects = [step.effect for step in report.steps]
    starts = sum(isinstance(each, StartInstance) for each in effects)
    stops = sum(isinstance(each, StopInstance) for each in effects)
    parts = []
    if any(isinstance(each, Remove) for each in effects):
        parts.append("removes the environment")
    if starts or stops:
        parts.append(f"starts {starts}, stops {stops}")
    copies = sum(isinstance(each, CopyImage) for each in effects)
    if copies:
        parts.append(f"copies {words.count(copies, 'image')}")
    parts += _stack_parts(report)
    if any(isinstance(each, Configure) for each in effects):
        parts.append("makes the network" if report.current is None else "changes the network")
    if report.foresight.cost is not None:
        parts.append(cost.change(report.foresight.cost))
    if blocked:
        parts.append(blocked)
    said = ", ".join(parts) or words.count(len(report.differences), "difference")
    return said[0].upper() + said[1:]


def _stack_parts(report: PlanReport) -> list[str]:
    """`makes 7 stacks`, `changes 2 stacks`, `ends 1 stack`: each stack once, though a change may touch it twice."""
    verbs = {Action.CREATE: "makes", Action.UPDATE: "changes", Action.DELETE: "ends"}
    parts = []
    for action, verb in verbs.items():
        count = len({step.address for step in report.steps if _of_stack(step) and step.action is action})
        if count:
            parts.append(f"{verb} {words.count(count, 'stack')}")
    return parts
