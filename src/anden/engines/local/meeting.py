"""Where another machine meets a cell: a socket of UDP on this machine, opened here and kept by the cell's init, so that
it ends with the cell and needs no control plane."""

import errno
import socket
from contextlib import suppress
from pathlib import Path

from anden.engines.local.cell import protocol
from anden.engines.local.cell.init_client import InitClient
from anden.engines.local.place import Place
from anden.model.problem import Problem, Problems

ANYWHERE = "0.0.0.0"  # noqa: S104 - where the address to be met at is another machine's, which leads here
_ELSEWHERE = (errno.EADDRNOTAVAIL, errno.ENODEV)


def opened(meet: str) -> socket.socket:
    """A socket at `HOST:PORT`, or at every address of this machine when HOST is none of its own. Raises Problems."""
    host, _, port = meet.rpartition(":")
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        try:
            made.bind((host, int(port)))
        except (socket.gaierror, OSError) as error:
            if not isinstance(error, socket.gaierror) and error.errno not in _ELSEWHERE:
                raise
            made.bind((ANYWHERE, int(port)))
    except (OSError, OverflowError) as error:
        made.close()
        why = getattr(error, "strerror", None) or str(error)
        fix = f"Say another port: `--meet {host}:PORT`."
        raise Problems(Problem(f"UDP {meet}", "nobody can be met there", why, fix)) from None
    return made


def hand_over(place: Place, name: str, it: socket.socket) -> None:
    """Have the cell's init keep the socket under that name. Raises Problems: it does not run."""
    for pid in _children(place.keeper()):
        path = Path(f"/proc/{pid}/root") / protocol.SOCKET.relative_to("/")
        with suppress(OSError):
            InitClient(path).keep(name, it.fileno())
            return
    raise Problems(Problem("cell", "it does not run", place.absent_reason(), "Bring it up first: `anden up`."))


def _children(pid: int | None) -> list[int]:
    if pid is None:
        return []
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
