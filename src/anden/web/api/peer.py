"""Who is at the other end of a connection: by the kernel's word on a Unix socket, never by what the caller says."""

import asyncio
import pwd
import socket
import struct

from uvicorn.protocols.http.h11_impl import H11Protocol

SUDO_USER_HEADER = b"x-anden-sudo-user"
"""A hint that only root may give: who called sudo. Root could be anybody anyway, so it forges nothing."""
UNIX = "unix"
"""The scheme of `scope["client"]` for a Unix socket: (`unix:UID`, process id). No TCP peer has an address like that."""
_CREDENTIALS = struct.Struct("3i")
NAME_LENGTH = 32
"""The longest user name that is taken from the hint (useradd(8))."""


class PeerProtocol(H11Protocol):
    """uvicorn's protocol, which also puts the peer's user id into the scope."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's; then ask the kernel for the peer's credentials (SO_PEERCRED, unix(7))."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family == getattr(socket, "AF_UNIX", None) and hasattr(socket, "SO_PEERCRED"):
            raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(raw)
            self.client = (f"{UNIX}:{uid}", pid)


def peer_uid(client: tuple[str, int] | list[object] | None) -> int | None:
    """The user id in `scope["client"]`; None for a TCP peer."""
    host = str(client[0]) if client else ""
    return int(host.removeprefix(f"{UNIX}:")) if host.startswith(f"{UNIX}:") else None


def user_name(uid: int) -> str:
    """The name of a user id; `uid 1234` when the system knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def who(uid: int | None, sudo_user: str | None) -> str:
    """For the record: `root`, `ana`, `ana (via sudo)`; `token` for a TCP peer, which showed the token."""
    if uid is None:
        return "token"
    name = user_name(uid)
    said = "".join(each for each in (sudo_user or "")[:NAME_LENGTH] if each.isalnum() or each in "._-@\\")
    return f"{said} (via sudo)" if uid == 0 and said and said != name else name
