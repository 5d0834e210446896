"""Stacks that are not as they should be: failed, stuck, gone, changed by hand, or somebody else's."""

from collections.abc import Iterator, Sequence

from anden.model.finding import Finding, Severity
from anden.model.observation import Observation
from anden.model.stack import StackSeen, StackState, StackWanted

MOST_NAMED = 4
"""Resources that a finding names before it only counts them."""
MOST_SAID = 4
"""Lines of what the engine said that a finding carries."""


def assess(wanted: Sequence[StackWanted], observation: Observation, changing: bool) -> tuple[Finding, ...]:
    """What is to be said of the stacks of an environment that should be as `wanted`. changing: a change is in flight,
    so that a stack may well be missing or another's."""
    if not observation.present:
        return ()
    seen = {one.family: one for one in observation.stacks}
    up = f"anden up --on {observation.key.engine}"
    found: list[Finding] = []
    for stack in wanted:
        one = seen.get(stack.family)
        if one is not None:
            found += _stack(stack, one, changing, up)
        elif not changing:
            text, fix = "is not there: somebody deleted it, or it was never made", f"`{up}` makes it."
            found.append(Finding(Severity.TROUBLE, _name(stack.family), text, fix))
    known = {stack.family for stack in wanted}
    if not changing:
        found += (_spare(one, up) for family, one in sorted(seen.items()) if family not in known)
    return tuple(found)


def _stack(stack: StackWanted, one: StackSeen, changing: bool, up: str) -> Iterator[Finding]:
    said = tuple(one.why.splitlines()[:MOST_SAID])
    match one.state:
        case StackState.STUCK:
            text = "is stuck: its last operation failed and could not be undone, so that nothing can be applied"
            fix = f"Mend what is said here, then continue the rollback of {one.name} in CloudFormation, or delete it."
            yield Finding(Severity.TROUBLE, _name(one.family), text, fix, evidence=said)
        case StackState.WORKING if not changing:
            text = "is in somebody's hands: an operation on it is in flight"
            yield Finding(Severity.NOTE, _name(one.family), text, "Wait until it ends.", evidence=said)
        case StackState.FAILED if one.template != stack.digest:
            text = "was rolled back: its last operation failed, and it stands as it stood before"
            if one.template is None:
                text = "could not be made: its creation was rolled back"
            fix = f"Mend what is said here, then `{up}` tries again."
            yield Finding(Severity.TROUBLE, _name(one.family), text, fix, evidence=said)
        case StackState.SETTLED if one.template != stack.digest and not changing:
            text = "is not what the target says: it was changed by something else, or a change was interrupted"
            yield Finding(Severity.WARNING, _name(one.family), text, f"`{up}` makes it so.")
        case _:
            pass
    if one.drifted:
        text = f"changed by hand: {listed(one.drifted)}"
        fix = f"`{up} --revert` puts it back as its template says; `{up} --yes` keeps it."
        yield Finding(Severity.WARNING, _name(one.family), text, fix)


def _spare(one: StackSeen, up: str) -> Finding:
    if one.template is None and one.state is StackState.SETTLED:
        text, fix = "has a name like ours, and anden did not make it", "It is left alone. Rename or delete it."
        return Finding(Severity.WARNING, _name(one.family), text, fix)
    if one.kept is not None:
        cost = f", for ${one.kept.month_usd:.2f} a month" if one.kept.month_usd is not None else ""
        text = f"is not used and kept: {one.kept.what}{cost}"
        fix = "It is used again when its zone is; `anden down --release` gives up everything that is kept."
        return Finding(Severity.NOTE, _name(one.family), text, fix)
    return Finding(Severity.WARNING, _name(one.family), "is not needed any more", f"`{up}` ends it.")


def _name(family: str) -> str:
    return f"stack {family}"


def listed(names: Sequence[str]) -> str:
    """`Vpc, NatA and 3 more`."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
