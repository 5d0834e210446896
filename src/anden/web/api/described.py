"""The table of endpoints for people who read: /docs and /openapi.json. FastAPI describes it, and serves none of it."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import anden
from anden.web.api.table import Endpoint

OPENAPI = "/openapi.json"


def pages(endpoints: Sequence[Endpoint]) -> list[Route]:
    """The two pages."""
    app = FastAPI(title="anden", version=anden.__version__)
    for endpoint in endpoints:
        app.add_api_route(
            endpoint.path, _signature(endpoint), methods=[endpoint.method], summary=endpoint.says,
            response_model=None, name=endpoint.path.rpartition("/")[2],
        )  # fmt: skip
    said = app.openapi()

    async def openapi(request: Request) -> Response:
        return JSONResponse(said)

    async def docs(request: Request) -> Response:
        return get_swagger_ui_html(openapi_url=OPENAPI, title="anden")

    return [Route(OPENAPI, openapi), Route("/docs", docs)]


def _signature(endpoint: Endpoint) -> Callable[..., Any]:
    """A function that takes what the endpoint takes: FastAPI reads what it declares, and nobody calls it."""
    if endpoint.body is None:
        return lambda: None

    def takes(body: Any) -> None: ...

    takes.__annotations__ = {"body": endpoint.body, "return": None}
    return takes
