"""The table of endpoints as a FastAPI application."""

import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

import anden
from anden.model import codec
from anden.model.problem import Problem, Problems
from anden.web.api import fault
from anden.web.api.peer import SUDO_USER_HEADER, peer_uid, who
from anden.web.api.stream import Ndjson
from anden.web.api.table import ENDPOINTS, Desk, Endpoint, invalid
from anden.web.server import Activity

log = logging.getLogger("anden.web")

REFUSED, UNEXPECTED = 400, 500


def application(desk: Desk, activity: Activity, *, documented: bool = False) -> FastAPI:
    """Serve `desk`. documented: /docs and /openapi.json, for `anden serve`."""
    app = FastAPI(
        title="anden", version=anden.__version__, openapi_url="/openapi.json" if documented else None,
        docs_url="/docs" if documented else None, redoc_url=None,
    )  # fmt: skip
    for endpoint in ENDPOINTS:
        app.add_api_route(
            endpoint.path, _handler(endpoint, desk, activity), methods=[endpoint.method], summary=endpoint.says,
            response_model=None, name=endpoint.path.rpartition("/")[2],
        )  # fmt: skip
    app.add_exception_handler(Problems, _problems)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _handler(endpoint: Endpoint, desk: Desk, activity: Activity) -> Callable[..., Any]:
    async def handle(request: Request, body: Any) -> Any:
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

    async def bare(request: Request) -> Any:
        return await handle(request, None)

    if endpoint.body is None:
        return bare
    handle.__annotations__ = {"request": Request, "body": endpoint.body, "return": Any}
    return handle


def _header(request: Request, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == name), None)


def _encode(item: Any) -> bytes:
    return b"" if item is None else codec.to_json(item).encode()


def _answer(status: int, *problems: Problem) -> JSONResponse:
    return JSONResponse({"problems": [codec.to_data(problem) for problem in problems]}, status)


async def _problems(request: Request, error: Exception) -> JSONResponse:
    return _answer(REFUSED, *(error.problems if isinstance(error, Problems) else ()))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said = [invalid(tuple(each["loc"]), str(each["msg"])) for each in found]
    return _answer(REFUSED, *said)


async def _http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else UNEXPECTED
    return _answer(status, Problem(f"{request.method} {request.url.path}", f"HTTP {status}", "no such endpoint"))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(UNEXPECTED, fault.unexpected())
