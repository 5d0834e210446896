"""Probes on the record: who had what tried, where an engine starts something for it."""

from collections.abc import Sequence

from anden.control import access
from anden.control.means import Means
from anden.model.command import Outcome
from anden.model.ids import EnvironmentKey
from anden.model.problem import Problems
from anden.model.reach import Probe, Probed


def probed(means: Means, key: EnvironmentKey, who: str, what: str, probes: Sequence[Probe]) -> tuple[Probed, ...]:
    """What they saw. On the twin nothing is started, and nothing recorded. Raises Problems."""
    named = access.named(who)
    if not means.engine.start_limit_s:
        return means.engine.probe(key, probes, named)
    command = means.store.begin_command(key, named, what, means.clock.now())
    outcome, detail = Outcome.FAILED, "it could not be tried"
    try:
        found = means.engine.probe(key, probes, named)
        outcome, detail = Outcome.DONE, f"{len(found)} tried"
        return found
    except KeyboardInterrupt:
        detail = "its caller left"
        raise
    except Problems as problems:
        detail = str(problems.problems[0])
        raise
    finally:
        means.store.end_command(command.id, outcome, detail, means.clock.now())
