"""Which zones are lost, as far as their instances show it.

No real zone says that it has failed, so it is told from health alone: nothing that listens serves there any more, at
least one that did serve has been silent for a while although its process runs, and elsewhere most do serve. Where many
fall silent here and there it is no zone but too much work, and more instances would only make it worse. One instance
that hangs alone in its zone looks like a lost zone, and what is done about it is right then too.

What stands in a lost zone is left alone: it may be serving somebody whom we cannot see, it cannot be told to go, and
when the zone returns it is there at once. It does not count, and others stand in for it in the zones left.
"""

from collections.abc import Collection, Iterable

from anden.model.ids import ZoneName
from anden.model.observation import InstanceSeen, InstanceState

LOST_S = 5.0
"""Silence of this length, after health checks have given up, is taken for a zone's loss: a hiccup starts nothing."""

Lost = frozenset[ZoneName]
"""The zones that are lost."""


def lost(instances: Iterable[InstanceSeen], at: float, listening: Collection[str], silent_s: float = LOST_S) -> Lost:
    """The zones that are lost at `at`, the observation's time. listening: services with a port; others have no
    health of their own."""
    heard = [one for one in instances if one.service in listening]
    alive = {one.zone for one in heard if one.serving}
    dead = frozenset(one.zone for one in heard if one.zone not in alive and _silent(one, at, silent_s))
    elsewhere = [one for one in heard if one.zone not in dead]
    return dead if sum(one.serving for one in elsewhere) * 2 > len(elsewhere) else frozenset()


def stranded(instances: Iterable[InstanceSeen], zones: Lost) -> list[InstanceSeen]:
    """What stands in these zones."""
    return [one for one in instances if one.zone in zones]


def _silent(one: InstanceSeen, at: float, silent_s: float) -> bool:
    since = one.unhealthy_since
    return one.state is InstanceState.RUNNING and since is not None and at - since >= silent_s
