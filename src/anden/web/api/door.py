"""What every request passes first: who may come in, and how much they may bring."""

import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anden.model import codec
from anden.model.problem import Problem
from anden.web.api.peer import peer_uid

MOST_BODY_BYTES = 8 << 20
"""A manifest of 1,000 services is under 1 MiB; the rest is for what `exec` sends to an instance."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def answer(send: Send, status: int, *problems: Problem) -> None:
    """A whole response that says what is wrong."""
    body = json.dumps({"problems": [codec.to_data(problem) for problem in problems]}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Door:
    """ASGI middleware.

    A Unix socket's peer must be root or the daemon's own user (the socket's mode says the same; this holds when
    somebody changed it). A TCP peer must show the token, and name a host that is ours: a page in a browser whose name
    was rebound to 127.0.0.1 (DNS rebinding) names its own.
    """

    def __init__(self, app: App, token: str | None = None, hosts: frozenset[str] = frozenset()) -> None:
        self.app, self.token, self.hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if refused := self._refused(scope, headers):
            await answer(send, *refused)
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES:
            await answer(send, 413, _too_large())
            return
        body = await _whole(receive)
        if body is None:
            await answer(send, 413, _too_large())
            return
        await self.app(scope, _again(body, receive), send)

    def _refused(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, Problem] | None:
        uid = peer_uid(scope.get("client"))
        if uid is not None:
            if uid in (0, os.geteuid()):
                return None
            return 403, Problem("the API's socket", "not yours", "it answers its owner and root only", "Use sudo.")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host not in self.hosts:
            return 421, Problem(
                "Host", f"{host or 'none'} is not this server", "only its own names are answered",
                f"Use one of: {', '.join(sorted(self.hosts)) or 'none'}.",
            )  # fmt: skip
        scheme, _, shown = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        right = (self.token or "").encode()
        if not right or scheme.lower() != "bearer" or not secrets.compare_digest(shown.strip().encode(), right):
            return 401, Problem(
                "Authorization", "the token is missing or wrong", "over TCP every request shows it",
                "Send `Authorization: Bearer TOKEN`; `anden serve` says which file holds it.",
            )  # fmt: skip
        return None


def _too_large() -> Problem:
    return Problem(
        "the request", f"larger than {MOST_BODY_BYTES >> 20} MB", "the API takes no larger one", "Send less."
    )


async def _whole(receive: Receive) -> bytes | None:
    """The request's body; None when it is larger than the bound, which a chunked one says only as it comes."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > MOST_BODY_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body, and from then on what comes: the caller's leaving."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
