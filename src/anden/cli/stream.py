"""Follows a command that tells its progress: prints it, asks what it asks, and turns its end into an exit code."""

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from anden.cli import terminal
from anden.cli.options import Said
from anden.cli.render import events, words
from anden.cli.render.paint import clean
from anden.cli.render.problems import line
from anden.model import codec
from anden.model.command import Outcome
from anden.model.event import Event, EventKind
from anden.model.problem import Problem, Problems
from anden.model.report import StatusReport


@dataclass
class Ended:
    """How a command ended. `asked`: it did not, but needs a decision. `took_s` as the person waited. `given`: what it
    gave before its end, for who asked."""

    outcome: Outcome
    took_s: float
    text: str = ""
    report: StatusReport | None = None
    asked: Event | None = None
    problems: tuple[Problem, ...] = ()
    """Those that were printed."""
    problem: Problem | None = None
    given: dict[str, Any] | None = None


class Cancelled(Exception):  # noqa: N818 - what happened
    """Ctrl-C; the stream is closed, and so the command is cancelled."""


def follow(stream: Generator[dict[str, Any], None, None], columns: events.Columns) -> Ended:
    """Print every event on stderr as it comes. Raises Problems, and Cancelled on Ctrl-C."""
    out = terminal.progress()
    began = time.monotonic()
    asked: Event | None = None
    given: dict[str, Any] | None = None
    problems: list[Problem] = []
    try:
        for data in stream:
            event = codec.from_data(Event, data)
            match event.kind:
                case EventKind.END:
                    took = event.took_s if event.took_s is not None else time.monotonic() - began
                    outcome = Outcome(event.outcome or Outcome.DONE)
                    report = codec.from_data(StatusReport, event.data) if event.data else None
                    return Ended(outcome, took, event.text, report, asked, tuple(problems), event.problem, given)
                case EventKind.QUESTION:
                    asked = event
                    continue
                case EventKind.PROBLEM if event.problem is not None:
                    problems.append(event.problem)
            given = event.data or given
            columns = columns.fitting(event)
            said = events.line(event, columns, out.paint)
            if event.kind is EventKind.STEP and not event.sign:
                out.pass_by(said)
            else:
                out.say(said)
    except KeyboardInterrupt as stop:
        stream.close()
        raise Cancelled from stop
    finally:
        out.end()
        stream.close()
    if asked is not None:
        return Ended(Outcome.REFUSED, time.monotonic() - began, asked=asked)
    raise Problems(
        Problem("the control plane", "ended before the command", "it was stopped", "`anden status` shows what stands.")
    )


def decide(question: Event, said: Said, flags: Mapping[str, str]) -> str:
    """The answer to a question, from the person. `flags`: answer to the flag that gives it. Raises Problems when nobody
    can be asked."""
    choices = question.choices or {}
    text = ": ".join(part for part in (clean(question.subject), clean(question.text)) if part)
    if said.no_input or not terminal.interactive():
        way = "; ".join(f"{flags.get(answer, answer)}: {does}" for answer, does in choices.items())
        where = question.subject or "the question"
        raise Problems(Problem(where, question.text, "a person decides this", f"Decide: {way}."))
    err = terminal.progress()
    err.say(text)
    for name, does in choices.items():
        err.say(f"  {name:<8} {does}")
    answer: str = click.prompt("Which", type=click.Choice([*choices]), err=True, show_choices=True)
    return answer


def confirm(text: str, said: Said, *, flag: str = "--yes") -> None:
    """Ask before something that cannot be taken back. Raises Problems when nobody can be asked, Abort at no."""
    if said.yes:
        return
    if said.no_input or not terminal.interactive():
        raise Problems(Problem(text, "not confirmed", "nobody can be asked here", f"Say it with {flag}."))
    if not click.confirm(f"{text}?", err=True, default=False):
        raise click.Abort


def finish(ended: Ended, said: Said) -> int:
    """Print how it ended: what is left to say on stderr, JSON on stdout where asked for. Returns the exit code."""
    out = terminal.progress()
    if said.json and ended.report is not None:
        terminal.as_json(codec.to_data(ended.report))
    if ended.outcome is Outcome.DONE:
        return 0
    why = clean(ended.text)
    if ended.problem is not None:
        if ended.problem not in ended.problems:
            out.say(line(ended.problem, out.paint))
        why = ""
    label = ended.outcome.replace("-", " ")
    out.say(out.paint.bad(f"{label} after {words.seconds(ended.took_s)}") + (f": {why}" if why else ""))
    return 1
