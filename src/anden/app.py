"""The door through which `cli` goes: what it may ask for, in one place.

How control is reached is in `connection`, the daemon in `serving`, what is said of a manifest in `paper` and
`rendering`. What is slow to import is imported where it is used: `anden check` must not wait for a web server.
"""

# ruff: noqa: PLC0415

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anden import cycles, rendering
from anden.accounts import Account, account
from anden.connection import connect, consider
from anden.machine import Check, Doctor, SystemClock, called, doctor, root
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems
from anden.paper import Checked, check, cost, preflight
from anden.rendering import Rendered
from anden.serving import broken, fall, knock, run, serve
from anden.session import Session, Virtual
from anden.web.files import Files

if TYPE_CHECKING:
    from anden.drill.picture import Picture
    from anden.engines.local.join import Joining
    from anden.engines.local.trust import Trust
    from anden.model.blueprint import Blueprint
    from anden.model.drill import Drill, DrillReport
    from anden.model.invitation import Invitation
    from anden.model.mark import Marks
    from anden.model.override import Override
    from anden.model.report import StateReport
    from anden.model.topology import Topology

__all__ = [
    "Account",
    "Check",
    "Checked",
    "Doctor",
    "Rendered",
    "Session",
    "SystemClock",
    "Virtual",
    "account",
    "broken",
    "by_hand",
    "called",
    "check",
    "connect",
    "consider",
    "cost",
    "distrust",
    "doctor",
    "drill",
    "drills",
    "fall",
    "join",
    "join_lacks",
    "knock",
    "main",
    "preflight",
    "rebuild",
    "render",
    "run",
    "serve",
    "trust",
]


# Drills.


def drills(client: str, engine: EngineName) -> Path:
    """The folder of a client's drill reports."""
    return root() / client / ("drills" if engine is EngineName.LOCAL else f"{engine}-drills")


def drill(
    at: Mapping[str, Any], wanted: "Drill", services: Sequence[str], told: "Callable[[Picture], None]"
) -> "DrillReport":
    """Drill an environment. at: where, as the API takes it. services: whose routes `wanted.urls` are, for a load that
    is modelled. Raises Problems."""
    from anden.drill import course, ground
    from anden.model.ids import EnvironmentKey

    key = EnvironmentKey(at["client"], at["environment"], EngineName(at["engine"]))
    with contextlib.ExitStack() as stack:

        def session() -> Session:
            return stack.enter_context(connect(key.client, key.engine, start=False, seen=True))

        first = session()
        there = ground.virtual(key, at, first, session, services) if first.virtual else ground.real(at, first, session)
        return course.run(key, wanted, there, told)


# The other side of a link.


def join_lacks(*, bgp: bool) -> list[Problem]:
    """What this machine lacks to join a link; empty when it can. bgp: the link speaks it."""
    from anden.engines.local.join.needs import lacking

    return list(lacking(bgp=bgp))


def join(invitation: "Invitation") -> "Joining":
    """The other side of a link, to be entered. Raises Problems, OSError."""
    from anden.engines.local.join import Joining, ToAws

    return ToAws(invitation) if invitation.key.engine is EngineName.AWS else Joining(invitation)


# Trust in the twins' certificates.


def trust(client: str, *, install: bool) -> "Trust":
    """The client's authority, and whether this machine trusts it; with `install` it does then. Raises Problems."""
    from anden.engines.local import trust as store

    found = store.install(root(), client) if install else store.look(root(), client)
    if found is None:
        raise Problems(store.missing(client))
    return found


def distrust(client: str) -> tuple[str, ...]:
    """Have this machine trust no authority of the client's; the files that were taken out. Raises Problems."""
    from anden.engines.local import trust as store

    return store.remove(client)


def by_hand(found: "Trust") -> tuple[str, ...]:
    """What to do where anden changes nothing."""
    from anden.engines.local import trust as store

    return store.by_hand(found.certificate)


# State that is kept elsewhere.


def rebuild(client: str, engine: EngineName) -> "StateReport":
    """Everything that is kept of a client elsewhere than on this machine, read back. Raises Problems."""
    if engine is not EngineName.AWS:
        where, why = f"--on {engine}", "this machine keeps it, with a copy beside it, and mends it by itself"
        raise Problems(Problem(where, "has its state here", why, "`anden history --verify` checks it."))
    from anden.engines.aws.opening import open_account
    from anden.engines.aws.rebuilding import rebuild as rebuilt

    found = open_account(client)
    if found.state is None:
        what, why = "the account has no state bucket", "nothing of it is kept there yet"
        raise Problems(Problem(f"state of {client}", what, why, "Set it up first: `anden account bootstrap`."))
    return rebuilt(found.state, client, found.place)


# Writing what an engine would apply, without acting on it.


def render(
    topology: "Topology", marks: "Marks", folder: Path, engine: EngineName, parent: "Blueprint | None",
    overrides: "tuple[Override, ...]" = (),
) -> Rendered:  # fmt: skip
    """See anden.rendering."""
    return rendering.render(topology, marks, folder, engine, parent, overrides, SystemClock())


# The daemon.


def main() -> int:
    """`python -m anden.app STATE/CLIENT`: the daemon, as `connect` starts it."""
    cycles.seldom()
    folder = Path(sys.argv[1]).absolute()
    try:
        run(Files(folder), folder.name)
    except Problems as found:
        for problem in found.problems:
            sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
