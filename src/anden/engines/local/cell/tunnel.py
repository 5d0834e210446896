"""A link's tunnels, kept up: each one that is down is raised again, and the route goes by the preferred of those up,
where BGP is spoken of those whose session announces what is declared.

strongSwan starts nothing by itself here, so that every failure is heard by who can say its cause. A tunnel that was up
when the watch begins stays as it is: the daemons survive whoever watches them.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from anden.engines.local.cell.charon import Charon, Refused
from anden.engines.local.cell.tunnel_cause import cause
from anden.engines.local.render import strongswan
from anden.engines.local.render.strongswan import Proof
from anden.model.link import Agreement, Tunnel
from anden.model.problem import Problem

RETRY_S = 1.0
"""Between the end of one attempt to raise a tunnel and the next."""
LINGER_S = 0.5
"""Between the traffic's leaving a tunnel and the tunnel's end: what is under way comes back by it."""
TURN_S = 1.0
"""An event is heard at once; for one that was missed the daemon is asked so often."""


@dataclass(frozen=True, slots=True)
class State:
    """since: Unix seconds. problem: why it is not up, as of the last attempt; None too while nobody knows, or when it
    was lowered."""

    up: bool = False
    since: float = 0.0
    problem: Problem | None = None


@dataclass(slots=True)
class _Kept:
    """One tunnel and what is known of it."""

    tunnel: Tunnel
    daemon: Charon
    wanted: bool = True
    carries: bool | None = True
    """Whether its BGP session lets traffic go by it; None: not heard yet."""
    state: State = field(default_factory=State)
    shown: str = ""
    """The certificate that proved us when it was raised; empty: there is none, or another watch raised it."""
    raised: float = 0.0
    """When another watch did, Unix seconds."""


class Link:
    """Safe to call from several threads."""

    def __init__(
        self,
        agreement: Agreement,
        daemons: Sequence[Charon],
        key: Callable[[str], str],
        move: Callable[[int | None], None],
        proof: Callable[[int], Proof] | None = None,
        expected: Callable[[], str] = str,
    ) -> None:
        """daemons: one a tunnel. key: a key's value by its name, asked for at each attempt, so that another one is
        used without a restart. move: has the link's traffic go by this tunnel, or by none; called once a change, and
        never twice at once. What it raises ends the thread that saw the change. proof: in the place of key, our
        certificate for the tunnel of that number; one that is newer than its tunnel has the tunnel raised anew, while
        another one carries. expected: the one certificate that the other side is to show; empty: any that is good."""
        self._agreement = agreement
        self._key = key
        self._move = move
        self._proof = proof
        self._expected = expected
        self._kept = {
            tunnel.number: _Kept(tunnel, daemon) for tunnel, daemon in zip(agreement.tunnels, daemons, strict=True)
        }
        if agreement.bgp is not None:
            for kept in self._kept.values():
                kept.carries = None
        self._lock = threading.RLock()
        self._by: int | None = None
        self._moved = False
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, args=(kept,), name=f"{agreement.link}-{number}", daemon=True)
            for number, kept in self._kept.items()
        ]

    def begin(self) -> None:
        """Raise the tunnels, and keep them up. Returns at once."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop watching; the tunnels stay as they are."""
        self._ended.set()

    @property
    def by(self) -> int | None:
        """The tunnel that the traffic goes by."""
        return self._by

    def states(self) -> Mapping[int, State]:
        """Each tunnel's, by its number."""
        with self._lock:
            return {number: kept.state for number, kept in self._kept.items()}

    def lower(self, number: int) -> None:
        """End a tunnel and leave it so: first the traffic goes elsewhere. Raises OSError, KeyError."""
        kept = self._kept[number]
        with self._lock:
            kept.wanted = False
            self._choose()
        time.sleep(LINGER_S)
        kept.daemon.down(self._agreement.link)
        self._say(kept, up=False, problem=None)

    def lift(self, number: int) -> None:
        """Take a lowered tunnel up again. Raises KeyError."""
        self._kept[number].wanted = True

    def hear(self, number: int, *, carries: bool) -> None:
        """What BGP says of a tunnel: whether all that is declared is announced by it. Raises KeyError."""
        with self._lock:
            self._kept[number].carries = carries
            self._choose()
            if not self._moved and all(kept.carries is False for kept in self._kept.values()):
                self._move(None)  # an earlier watch may have left the route by one
                self._moved = True

    def _keep(self, kept: _Kept) -> None:
        while not self._ended.is_set():
            if kept.wanted and self._raise(kept):
                self._say(kept, up=True, problem=None)
                self._hold(kept)
            self._ended.wait(RETRY_S)

    def _raise(self, kept: _Kept) -> bool:
        """Whether it is up."""
        link, until = self._agreement.link, None
        try:
            standing = kept.daemon.standing(link)
            if standing.up:
                kept.raised = time.time() - standing.established_s
            else:
                with suppress(OSError):  # slower without, and no reason to have no tunnel
                    kept.daemon.deepen()
                until = self._load(kept)
                kept.daemon.up(link)
        except Refused as refused:
            ended = until if until is not None and until <= time.time() else None
            self._say(kept, up=False, problem=cause(self._agreement, kept.tunnel, refused.said, ended))
        except (OSError, ValueError) as error:  # ValueError: what is kept for it cannot be read
            self._say(kept, up=False, problem=self._away(kept, error))
        else:
            return True
        return False

    def _load(self, kept: _Kept) -> float | None:
        """Tell the daemon what it is to talk about, and with what it proves us; until when that holds, Unix seconds."""
        if self._proof is None:
            said = strongswan.connection(self._agreement, kept.tunnel)
            kept.daemon.load(said, strongswan.key(kept.tunnel), self._key(kept.tunnel.key))
            return None
        proof = self._proof(kept.tunnel.number)
        said = strongswan.connection(self._agreement, kept.tunnel, proof, self._expected())
        kept.daemon.prove(said, proof.key)
        kept.shown = proof.certificate
        return proof.until

    def _renewing(self, kept: _Kept) -> bool:
        """Whether the tunnel is to be raised by a newer certificate, and another one carries now: one at a time."""
        if self._proof is None:
            return False
        try:
            proof = self._proof(kept.tunnel.number)
        except (OSError, ValueError):
            return False
        if proof.certificate == kept.shown if kept.shown else proof.since <= kept.raised:
            return False
        with self._lock:
            if not any(_may(other) for other in self._kept.values() if other is not kept):
                return False
            self._say(kept, up=False, problem=None)
        return True

    def _hold(self, kept: _Kept) -> None:
        """Until it is gone, or nobody watches any more."""
        link, renewing = self._agreement.link, False
        with suppress(OSError, Refused):  # a daemon that goes takes its tunnel along
            for fine in kept.daemon.watch(TURN_S):
                if self._ended.is_set():
                    return
                if not (kept.wanted and fine and kept.daemon.standing(link).up):
                    break
                if renewing := self._renewing(kept):
                    break
        if renewing or not kept.wanted:  # lowered, perhaps while it was being raised; the traffic has only just left it
            time.sleep(LINGER_S)
            with suppress(OSError):
                kept.daemon.down(link)
        self._say(kept, up=False, problem=None)

    def _say(self, kept: _Kept, *, up: bool, problem: Problem | None) -> None:
        with self._lock:
            up = up and kept.wanted
            if up == kept.state.up and kept.state.since:
                kept.state = replace(kept.state, problem=problem)
            else:
                kept.state = State(up, time.time(), problem)
            self._choose()

    def _choose(self) -> None:
        """With the lock held."""
        by = min((number for number, kept in self._kept.items() if _may(kept)), default=None)
        if by != self._by:
            self._move(by)
            self._by, self._moved = by, True

    def _away(self, kept: _Kept, error: Exception) -> Problem:
        return Problem(
            f"link {self._agreement.link}, tunnel {kept.tunnel.number}",
            "strongSwan does not answer",
            str(error),
            "It is started again by itself; if it stays so, its words are in the cell's log.",
        )


def _may(kept: _Kept) -> bool:
    """Whether traffic may go by it."""
    return kept.wanted and kept.state.up and bool(kept.carries)
