"""The daemon: the control plane of a client's state folder as a process of its own, in the background or in front.

Names engine and store together, as `connection` does, and nobody else. What is slow to import is imported where it is
used.
"""

# ruff: noqa: PLC0415

import contextlib
import os
import signal
from collections.abc import Callable

from anden.machine import SystemClock, lacks, root
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems
from anden.web.files import Files

KNOCK_LIMIT_S = 2.0
"""How long the gateway may take to answer once `up` has everything healthy; it is told, and holds nothing up."""


def serve(client: str, engine: EngineName, port: int, ready: Callable[[list[str]], None]) -> None:
    """`anden serve`: the control plane in the foreground. Raises Problems."""
    if engine is not EngineName.LOCAL:
        raise Problems(
            Problem(f"--on {engine}", "is not served", "its control runs in the command's own process", "Leave --on.")
        )
    if lacking := lacks(tools=True):
        raise Problems(lacking)
    from anden.web import daemon
    from anden.web.server import HOST

    files = Files(root() / client)
    found = daemon.ask(files, client)
    if found is not None:
        if found.busy or found.foreground:
            why = "it is `anden serve` itself" if found.foreground else "a command is in flight in it"
            raise Problems(
                Problem(f"the control plane of {client}", f"runs already, process {found.pid}", why, "End it first.")
            )
        daemon.end(found.pid, files)

    def said() -> None:
        ready(
            [
                f"{client}: serving http://{HOST}:{port} and {files.socket}",
                f"token in {files.token}; http://{HOST}:{port}/docs describes the API; Ctrl-C ends this",
            ]
        )

    run(files, client, port=port, ready=said)


def run(files: Files, client: str, *, port: int | None = None, ready: Callable[[], None] = lambda: None) -> None:
    """Be the daemon of a client's state folder until it ends. port: in the foreground, with TCP. Raises Problems."""
    from anden.control.environment import Control
    from anden.control.runner import ThreadRunner
    from anden.engines.aws.wrapping import Kms
    from anden.engines.local.engine import LocalEngine
    from anden.engines.local.images import LocalImages
    from anden.engines.local.issuers import HttpsIssuers
    from anden.store import open_store
    from anden.web import daemon, lock, server
    from anden.web.api.http import application
    from anden.web.api.table import Desk

    foreground = port is not None
    files.prepare()
    with lock.locked(files), contextlib.ExitStack() as stack:
        server.write_log(files, terminal=False)
        clock, state = SystemClock(), files.folder.parent
        store = open_store(files.store, broken, Kms())
        stack.callback(store.close)
        images = state / "images"
        engine = LocalEngine(state, images, clock, store.secrets)
        control = Control(
            engine, LocalImages(images, clock), store, clock, ThreadRunner(), knock, fall, store.secrets,
            issuers=HttpsIssuers(),
        )  # fmt: skip
        stack.callback(control.close)
        desk = Desk(client, engine.name, control, daemon.code(), foreground)
        activity = server.Activity()
        app = application(desk, activity, documented=foreground)
        control.begin()
        server.serve(files, app, activity, None if foreground else control.needed, port=port, ready=ready)


def fall() -> None:
    """End this process at once, for a drill: nothing is written, closed or said, as when it crashes."""
    os.kill(os.getpid(), signal.SIGKILL)


def broken(problem: Problem) -> None:
    """The records turned out to be damaged: end, so that the next command's control plane restores them."""
    import logging

    logging.getLogger("anden").error("%s", problem)
    os.kill(os.getpid(), signal.SIGTERM)


def knock(url: str) -> int | None:
    """The HTTP status that the gateway answers; None when it does not. Redirects are not followed."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = made(parts.hostname or "", parts.port, timeout=KNOCK_LIMIT_S)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
