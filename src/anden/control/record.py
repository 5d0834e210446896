"""Every command on the record: begun, told line by line, ended, whatever becomes of it."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from anden.control.means import Means
from anden.model.command import Command, Outcome
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey
from anden.model.problem import Problem, Problems

UP = "up"
"""The words of `up` in the record."""
Told = Generator[Event | None, None, None]
"""What a command tells; None is a heartbeat."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended. text: one line, for the record and for people; problem: the same with its fix."""

    outcome: Outcome
    text: str = ""
    problem: Problem | None = None


@dataclass(slots=True)
class Standing:
    """What stands if the command is cancelled now. acknowledged: the target has moved."""

    text: str = "nothing was changed"
    acknowledged: bool = False

    def acknowledge(self) -> None:
        """From here on the reconciler goes on by itself: a daemon's at once, of an account with the next command."""
        self.text, self.acknowledged = "its target stands, and the control plane goes on towards it while it runs", True


Work = Generator[Event | None, None, Ending]
Body = Callable[[Command, Standing], Work]
Report = Callable[[], dict[str, object] | None]


def recorded(means: Means, key: EnvironmentKey, who: str, what: str, body: Body, report: Report) -> Told:
    """Run `body` as the only mutating command of `key`, then tell END with the report as its data.

    Problems before anything was said are raised; later ones are told. Closing the generator cancels the command.
    """
    began = means.clock.monotonic()
    command = means.begin(key, who, what)
    standing, said = Standing(), False
    ending = Ending(Outcome.FAILED, "it ended in a way that was not expected")
    problems: tuple[Problem, ...] = ()
    work = body(command, standing)
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as done:
                ending = done.value
                break
            yield event
            said = said or event is not None
    except Problems as found:
        problems = found.problems
        outcome = Outcome.FAILED if standing.acknowledged else Outcome.REFUSED
        ending = Ending(outcome, str(problems[0]), problems[0])
    except GeneratorExit:
        ending = Ending(Outcome.CANCELLED, standing.text)
        raise
    finally:
        work.close()
        means.end(command, ending.outcome, "" if ending.outcome is Outcome.DONE else ending.text)
    if problems and not said:
        raise Problems(problems)
    for problem in problems:
        yield Event(EventKind.PROBLEM, problem=problem, sign="✗")
    took = means.clock.monotonic() - began
    yield Event(
        EventKind.END, text=ending.text, outcome=ending.outcome.value, problem=ending.problem, took_s=took,
        data=report(),
    )  # fmt: skip
