"""Who comes before whom among stacks that use each other."""

from collections.abc import Iterable, Mapping

from anden.model.stack import StackWanted


def chain(family: str, after: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """All that the family's stack uses, directly or not; not itself. after: family to those that its own uses."""
    found: set[str] = set()
    left = [family]
    while left:
        for each in after[left.pop()]:
            if each in after and each not in found:
                found.add(each)
                left.append(each)
    return frozenset(found - {family})


def users_of(families: Iterable[str], after: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Family to the families among `families` whose stacks use it. after: family to those that its own uses."""
    users: dict[str, set[str]] = {}
    for family in families:
        for each in after.get(family, ()):
            if each != family:
                users.setdefault(each, set()).add(family)
    return users


def depth(stacks: Mapping[str, StackWanted]) -> int:
    """How many stacks one after the other the longest chain has; 0 for none."""
    known: dict[str, int] = {}

    def of(family: str) -> int:
        if family not in known:
            known[family] = 1  # also what a cycle, which no render makes, comes back to
            known[family] = 1 + max((of(each) for each in stacks[family].after if each in stacks), default=0)
        return known[family]

    return max((of(family) for family in stacks), default=0)
