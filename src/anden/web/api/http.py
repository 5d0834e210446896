"""The table of endpoints as an ASGI application.

Starlette alone: FastAPI, which only describes the table for people (`described`), takes a quarter of a second to load,
and every command that finds no control plane waits for that.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from anden.model import codec
from anden.model.problem import Problem, Problems
from anden.web.api import fault
from anden.web.api.peer import SUDO_USER_HEADER, peer_uid, who
from anden.web.api.stream import Ndjson
from anden.web.api.table import ENDPOINTS, Desk, Endpoint, invalid, parse
from anden.web.server import Activity

log = logging.getLogger("anden.web")

REFUSED, UNEXPECTED = 400, 500


def application(desk: Desk, activity: Activity, *, documented: bool = False) -> Starlette:
    """Serve `desk`. documented: /docs and /openapi.json, for `anden serve`."""
    routes = [
        Route(endpoint.path, _handler(endpoint, desk, activity), methods=[endpoint.method]) for endpoint in ENDPOINTS
    ]
    if documented:
        from anden.web.api.described import pages  # noqa: PLC0415

        routes += pages(ENDPOINTS)
    refusals = {Problems: _problems, HTTPException: _http, Exception: _unexpected}
    return Starlette(routes=routes, exception_handlers=refusals)


def _handler(endpoint: Endpoint, desk: Desk, activity: Activity) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        body = None if endpoint.body is None else parse(endpoint, _object(await request.body()))
        caller = who(peer_uid(request.scope.get("client")), _header(request, SUDO_USER_HEADER))
        activity.enter()
        if endpoint.streams:
            try:
                items = endpoint.answer(desk, body, caller)
            except BaseException:
                activity.leave()
                raise
            return Ndjson(items, _encode, activity.stopping, activity.leave)
        try:
            answer = await run_in_threadpool(endpoint.answer, desk, body, caller)
            return JSONResponse(codec.to_data(answer))
        finally:
            activity.leave()

    return handle


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object that a request carries. Raises Problems."""
    try:
        data = json.loads(body)
    except ValueError as error:
        raise Problems(invalid((), f"not JSON: {error}")) from error
    if not isinstance(data, dict):
        raise Problems(invalid((), "not a JSON object"))
    return data


def _header(request: Request, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == name), None)


def _encode(item: Any) -> bytes:
    return b"" if item is None else codec.to_json(item).encode()


def _answer(status: int, *problems: Problem) -> JSONResponse:
    return JSONResponse({"problems": [codec.to_data(problem) for problem in problems]}, status)


async def _problems(request: Request, error: Exception) -> JSONResponse:
    return _answer(REFUSED, *(error.problems if isinstance(error, Problems) else ()))


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else UNEXPECTED
    return _answer(status, Problem(f"{request.method} {request.url.path}", f"HTTP {status}", "no such endpoint"))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(UNEXPECTED, fault.unexpected())
