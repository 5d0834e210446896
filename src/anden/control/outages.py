"""That a link carries nothing, and that it carries again, on record: once each, whoever looked when."""

from anden.assess import outages
from anden.control import access
from anden.model.command import Outcome
from anden.model.ids import EnvironmentKey
from anden.model.observation import Observation
from anden.model.ports import Clock, Store

MOST_LOOKED_AT = 50
"""Commands back that are looked at: a control plane that died between the record and the observation comes again."""


def record(store: Store, clock: Clock, key: EnvironmentKey, seen: Observation) -> None:
    """Say in the record which outages began or ended since the observation that is kept. Call it before `seen` is."""
    if not seen.links:
        return
    before = store.observation(key)
    news = outages.news(before.links if before is not None else (), seen.links)
    known = {command.what for command in store.commands(key, MOST_LOOKED_AT)} if news else frozenset()
    for what, detail in news:
        if what not in known:
            command = store.begin_command(key, access.ANDEN, what, clock.now())
            store.end_command(command.id, Outcome.DONE, detail, clock.now())
