"""The other side of a link on another machine: `python -m anden.engines.local.cell.link_relay NUMBER`, with a socket of
UDP on this machine as its descriptor 3.

It stands on the wire where the data centre would, with the peer's address, and carries what it hears there to whoever
joined. It ends with the invitation.
"""

import socket
import sys
import time
from contextlib import ExitStack, suppress

from anden.engines.local import wire
from anden.engines.local.cell.link_files import LinkFiles, write
from anden.model import codec
from anden.model.link import Agreement
from anden.model.sight import Sight, TunnelSight
from anden.planning import sights

OUTER = 3
"""The descriptor."""
FREE_S = 10.0
"""Until the data centre, which stood there before, has left its ports."""
PAUSE_S = 0.05


def doors(agreement: Agreement) -> list[wire.Door]:
    """At the peer's address, for both endpoints. Raises OSError."""
    ours = {tunnel.number: str(tunnel.ours.address) for tunnel in agreement.tunnels}
    known = {address: number for number, address in ours.items()}
    return [wire.Door(_bound(str(agreement.peer), port), port, known, ours) for port in wire.PORTS]


def _bound(address: str, port: int) -> socket.socket:
    deadline = time.monotonic() + FREE_S
    while True:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            made.bind((address, port))
        except OSError:
            made.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)
        else:
            return made


def main(number: int) -> None:
    """Carry until the invitation ends."""
    files = LinkFiles(number)
    rehearsal = files.rehearsal()
    if rehearsal is None:
        return
    agreement = codec.from_json(Agreement, files.agreement.read_text())
    with ExitStack() as closing:
        outer = closing.enter_context(socket.socket(fileno=OUTER))
        standing = doors(agreement)
        for door in standing:
            closing.enter_context(door.socket)

        def told(heard: wire.Heard) -> None:
            with suppress(OSError):
                write(files.joined, codec.to_json(heard), 0o600)

        began = time.time()
        seal = wire.inviting(rehearsal.wire)
        carrier = wire.Wire(outer, seal, standing, rehearsal.until, word=lambda: sights.told(sight(files, began)))
        carrier.carry(told)


def sight(files: LinkFiles, began: float) -> Sight:
    """What the link's watch sees, for the other side."""
    states = files.seen().get("tunnels", {})
    tunnels = tuple(
        TunnelSight(int(number), bool(one.get("up")), float(one.get("since", 0.0)))
        for number, one in sorted(states.items())
    )
    return Sight(time.time(), began, True, tunnels)


if __name__ == "__main__":
    main(int(sys.argv[1]))
