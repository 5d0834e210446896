"""The watch of one link, a process of its own: `python -m anden.engines.local.cell.link_server NUMBER`.

It lives in the hub's network, keeps the link's tunnels up, moves the route to the one that carries, and writes down
what it sees. It needs neither supervisor nor control plane.
"""

import json
import math
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from anden.assess.outages import followed
from anden.engines.local.cell import bgp_cause, link_network
from anden.engines.local.cell.bird import Bird
from anden.engines.local.cell.charon import Charon, Refused
from anden.engines.local.cell.link_files import LinkFiles, write
from anden.engines.local.cell.tunnel import Link
from anden.model import codec
from anden.model.link import Agreement, Outage, Session, TunnelSeen

LOOK_S = 0.25
"""Between two writings of what has changed."""
COUNT_S = 2.0
"""Between two readings of how much went through."""


class Watch:
    """The link, and what is written of it."""

    def __init__(self, files: LinkFiles) -> None:
        self._files = files
        self._agreement = codec.from_json(Agreement, files.agreement.read_text())
        self._daemons = {one.number: Charon(files.daemon(one.number)) for one in self._agreement.tunnels}
        certified = self._agreement.certified
        proof = (lambda tunnel: files.proof(str(tunnel))) if certified else None
        daemons = list(self._daemons.values())
        self._link = Link(self._agreement, daemons, self._key, self._move, proof, files.expected)
        self._due = 0.0 if certified else math.inf
        self._sessions: dict[int, Session] = {}
        self._lowered: frozenset[int] = frozenset()
        self._counted: dict[int, tuple[int, int]] = {}
        self._written = ""
        was = files.seen().get("outage")
        self._outage = None if was is None else codec.from_data(Outage, was)

    def run(self, again: threading.Event) -> None:
        """For good. again: set when what is to stay down was changed. Where the traffic goes when this begins, it goes
        on until a tunnel is known to be up: an endpoint without one has no way to the other side."""
        self._turn()
        self._renew()
        self._link.begin()
        counted = 0.0
        while True:
            if again.wait(LOOK_S):
                again.clear()
                self._turn()
            if time.monotonic() - counted > COUNT_S:
                counted = time.monotonic()
                self._count()
            self._hear()
            self._write()
            self._renew()

    def _renew(self) -> None:
        """Certificates that are missing, or due. The tunnels take them one after the other."""
        if time.time() < self._due:
            return
        from anden.engines.local.cell import link_certificates  # noqa: PLC0415 - most links need no cryptography

        self._due = link_certificates.ensure(self._files, self._agreement, time.time())

    def _key(self, name: str) -> str:
        return self._files.keys().get(name, "")

    def _move(self, by: int | None) -> None:
        try:
            link_network.steer(self._files.number, self._agreement, by)
        except OSError as error:  # another watch begins with what the kernel has
            print(f"link {self._agreement.link}: the route does not move: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    def _turn(self) -> None:
        wanted = self._files.lowered()
        for number in sorted(self._lowered - wanted):
            self._link.lift(number)
        for number in sorted(wanted - self._lowered):
            with suppress(OSError, KeyError):
                self._link.lower(number)
        self._lowered = wanted

    def _hear(self) -> None:
        """What BGP says, where it is spoken. BIRD writes no route: this does."""
        if (bgp := self._agreement.bgp) is None:
            return
        states = self._link.states()
        for tunnel in self._agreement.tunnels:
            spoken = None
            with suppress(OSError):
                spoken = Bird(self._files.speaker(tunnel.number)).session()
            session = bgp_cause.judged(self._agreement, bgp, tunnel, spoken, up=states[tunnel.number].up)
            self._sessions[tunnel.number] = session
            self._link.hear(tunnel.number, carries=session.carries)

    def _count(self) -> None:
        for number, daemon in self._daemons.items():
            with suppress(OSError, Refused):
                standing = daemon.standing(self._agreement.link)
                self._counted[number] = (standing.bytes_in, standing.bytes_out)

    def _tunnels(self) -> list[TunnelSeen]:
        return [
            TunnelSeen(
                number, state.up, state.since, lowered=number in self._lowered, problem=state.problem,
                bgp=self._sessions.get(number),
            )
            for number, state in self._link.states().items()
        ]  # fmt: skip

    def _write(self) -> None:
        tunnels: dict[str, Any] = {}
        for number, state in self._link.states().items():
            into, out = self._counted.get(number, (0, 0))
            tunnels[str(number)] = {
                "up": state.up, "since": state.since, "bytes_in": into, "bytes_out": out,
                "problem": None if state.problem is None else codec.to_data(state.problem),
                "bgp": codec.to_data(self._sessions[number]) if number in self._sessions else None,
            }  # fmt: skip
        self._outage = followed(self._outage, self._tunnels(), time.time())
        outage = None if self._outage is None else codec.to_data(self._outage)
        said = json.dumps({"by": self._link.by, "tunnels": tunnels, "outage": outage})
        if said != self._written:
            write(self._files.state, said, 0o600)
            self._written = said


def main(number: int) -> None:
    """Serve until killed."""
    again = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: again.set())
    Watch(LinkFiles(number)).run(again)


if __name__ == "__main__":
    main(int(sys.argv[1]))
