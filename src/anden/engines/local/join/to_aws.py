"""The client's side of a link on AWS, from any Linux machine that AWS sees as the link's peer.

    this machine's network ── UDP 500 and 4500 ── AWS's endpoints
    between (wan of both endpoints' addresses) ── core (the peer's address, strongSwan, what we answer with)

As on the twin nothing of this machine's network is touched, but for two sockets of UDP. Encapsulation is forced
(`encap` in strongSwan's file), so that there is no ESP that needs more than UDP. AWS starts tunnels too, towards the
peer; behind a translation of addresses, which lets in what was asked for only, nobody hears that. So this side starts
them as well.
"""

import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from anden.engines.local import wire
from anden.engines.local.cell.charon import Refused
from anden.engines.local.join import relay
from anden.engines.local.join.aws_cause import cause
from anden.engines.local.join.joining import END_S, Joining
from anden.model.invitation import Invitation
from anden.model.link import Tunnel
from anden.model.problem import Problem

RETRY_S = 2.0
"""Between the end of one attempt to raise a tunnel and the next, and between two looks at one that stands."""


class ToAws(Joining):
    """A context, as Joining. The invitation's `rehearsal.keys` are those that were asked for."""

    def __init__(self, invitation: Invitation) -> None:
        super().__init__(invitation)
        self._ended = threading.Event()
        self._problems: dict[int, Problem] = {}
        self._ports: dict[int, int] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """From where this machine speaks."""
        taken = [port for port, ours in self._ports.items() if ours != port]
        ours = " and ".join(map(str, self._ports.values()))
        why = f": somebody has {' and '.join(map(str, taken))} here, and IKE allows any" if taken else ""
        return (f"from UDP {ours} of this machine{why}",)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why tunnels are not up, as of the last attempt."""
        return tuple(problem for _, problem in sorted(self._problems.items()))

    def _carrier(self, doors: Sequence[wire.Door], undo: ExitStack) -> relay.Relay:
        outer: dict[int, socket.socket] = {}
        for port in wire.PORTS:
            outer[port] = undo.enter_context(relay.opened(port))
            self._ports[port] = outer[port].getsockname()[1]
        peer = str(self._agreement.peer)
        passages = [
            relay.Passage(door.socket, (peer, door.port), outer[door.port], (door.socket.getsockname()[0], door.port))
            for door in doors
        ]
        return relay.Relay(passages, self._invitation.rehearsal.until)

    def _raise(self, undo: ExitStack) -> None:
        super()._raise(undo)
        for tunnel in self._agreement.tunnels:
            name = f"tunnel-{tunnel.number}"
            keeping = threading.Thread(target=self._keep, args=(tunnel,), name=name, daemon=True)
            keeping.start()
            undo.callback(keeping.join, END_S)
        undo.callback(self._leave)

    def _keep(self, tunnel: Tunnel) -> None:
        name = f"{self._agreement.link}-{tunnel.number}"
        while not self._ended.is_set():
            try:
                if not self._daemon.standing(name).up:
                    self._daemon.up(name)
                self._problems.pop(tunnel.number, None)
            except Refused as refused:
                if not self._ended.is_set():
                    self._problems[tunnel.number] = cause(self._agreement, tunnel, refused.said)
            except OSError as error:
                where, what = f"link {self._agreement.link}, tunnel {tunnel.number}", "strongSwan does not answer"
                self._problems[tunnel.number] = Problem(where, what, str(error), "End it, and join again.")
            self._ended.wait(RETRY_S)

    def _leave(self) -> None:
        """Nothing is raised any more, what is being raised is given up, and AWS hears of what stood."""
        self._ended.set()
        for tunnel in self._agreement.tunnels:
            with suppress(OSError, Refused):
                self._daemon.down(f"{self._agreement.link}-{tunnel.number}")
