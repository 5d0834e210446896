"""What a client's bucket says, read back in whole: the proof that a lost machine loses nothing."""

from anden.engines.aws.state import Rebuilt, State
from anden.model.report import StateOf, StateReport

MOST = 1000
"""Commands and changes of each environment that are read back."""


def rebuild(state: State, client: str, place: str) -> StateReport:
    """Everything, from the bucket alone. Raises Problems when it cannot be read at all."""
    return report(state.rebuild(MOST), client, place)


def report(found: Rebuilt, client: str, place: str) -> StateReport:
    """The same as people read it. Pure."""
    targets = {target.key.environment: target for target in found.targets}
    names = sorted({*targets, *found.commands, *found.changes})
    environments = []
    for name in names:
        target, changes = targets.get(name), found.changes.get(name, ())
        environments.append(
            StateOf(
                name, target.blueprint if target else None, target.folder if target else "",
                changes[0] if changes else None, len(changes), len(found.commands.get(name, ())),
            )
        )  # fmt: skip
    return StateReport(client, place, len(found.blueprints), tuple(environments), found.faults)
