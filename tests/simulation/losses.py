"""Lost zones, as the judge sees them: by the truth, and by what control has said."""

from collections.abc import Collection

from tests.simulation.history import Truth

from anden.model.observation import Health, InstanceSeen, InstanceState

SILENT = "does not answer"
"""In the reason of a change that has held without a zone that is lost; it names what stands there before WAITING."""
WAITING = " wait for its return"


def alive(true: Truth, mute: Collection[str]) -> set[str]:
    """The zones in which somebody who listens serves. mute: services without a port, which say nothing of theirs."""
    return {one.zone for one in true.beings if one.serving and one.service not in mute}


def lost(true: Truth, mute: Collection[str]) -> set[str]:
    """The zones that have fallen silent: somebody did serve there, and nobody does. All that stands there waits for the
    zone's return, also what never came to serve."""
    silent = {one.zone for one in true.beings if one.ever_healthy and not one.serving and one.service not in mute}
    return silent - alive(true, mute)


def fallen_silent(one: InstanceSeen) -> bool:
    """It was healthy and is not, although its process runs."""
    return one.ever_healthy and one.health is Health.UNHEALTHY and one.state is InstanceState.RUNNING


def waiting(reason: str) -> set[str]:
    """The names in the reason of a change that has held without a lost zone."""
    return set(reason.partition(SILENT + ": ")[2].partition(WAITING)[0].split(", ")) if SILENT in reason else set()
