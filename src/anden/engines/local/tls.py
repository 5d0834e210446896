"""The gateway's second listener, with TLS: its socket, and the certificate that it shows.

The socket is opened on this machine when the configuration first has TLS, and is kept by the cell's init as the plain
one is. So an environment that runs gets its listener by `up`, and nothing of the plain one changes.
"""

import socket
from collections.abc import Iterable, Iterator
from typing import Any

from anden.engines.local import authority, link, meeting
from anden.engines.local.cell import keeper
from anden.engines.local.place import Place
from anden.model.configuration import Configuration
from anden.model.ids import EnvironmentKey
from anden.model.ports import Clock
from anden.model.problem import Problem, Problems

NAME = "gateway-tls"
"""The name under which init keeps the socket."""
ABOVE = 363
"""From the plain port to the one with TLS: 80 and 443, 8080 and 8443."""
TRIES = 100
"""How many ports after that are looked at."""
MOST_PORT = 65535


def wanted(
    place: Place, key: EnvironmentKey, gateway: str, configuration: Configuration, clock: Clock
) -> dict[str, Any] | None:
    """What the supervisor is to be given with the configuration: another certificate and its key, for its memory and
    nowhere else; None: what it has is good, or there is no TLS. Opens the socket where it is not. gateway: the plain
    one. Raises Problems, link.Away."""
    if not configuration.tls:
        return None
    told = link.ask(place, {"op": "tls"})
    if told["listening"] is None:
        with listening(gateway) as opened:
            meeting.hand_over(place, NAME, opened)
    at = place.folder.parent.parent / authority.FOLDER
    signed = authority.sign(at, key.client, configuration.tls, clock.now(), told["certificate"])
    return None if signed is None else {"pem": signed.pem, "renew_at": signed.renew_at}


def listening(gateway: str) -> socket.socket:
    """A listening socket beside the plain gateway's, on the same address. Raises Problems: no port is free."""
    host, _, plain = gateway.rpartition(":")
    refused: OSError | None = None
    for port in ports(int(plain)):
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((host, port))
            opened.listen(keeper.BACKLOG)
        except OSError as error:
            opened.close()
            refused = error
        else:
            return opened
    what = f"no port from {host}:{next(iter(ports(int(plain))))} on is free for TLS"
    why = (refused.strerror or str(refused)) if refused is not None else ""
    raise Problems(Problem("gateway", what, why, "Choose another with --gateway HOST:PORT; TLS goes beside it."))


def ports(plain: int) -> Iterator[int]:
    """Those to try, in their order; below the plain one where there is no room above."""
    first = plain + ABOVE if plain + ABOVE <= MOST_PORT else plain - ABOVE
    yield from _within(range(first, first + TRIES), plain)


def _within(numbers: Iterable[int], plain: int) -> Iterator[int]:
    return (number for number in numbers if number <= MOST_PORT and number != plain)
