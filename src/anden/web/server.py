"""The daemon: one for each client's state folder. It holds the lock, serves the socket, and ends when not needed."""

import logging
import logging.handlers
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

import uvicorn

from anden.model.problem import Problem, Problems
from anden.web.api.door import App, Door
from anden.web.api.peer import PeerProtocol
from anden.web.files import FILE_MODE, Files

IDLE_S = 3.0
"""Without a target and without a request for this long, a background daemon ends."""
LOOK_S = 0.5
"""How often idleness is looked at."""
GRACE_S = 5
"""What requests in flight get to end after SIGTERM."""
LOG_BYTES = 1 << 20
LOG_FILES = 3
BACKLOG = 128
MOST_CONNECTIONS = 256
"""At once; the next one is answered 503."""
HOST = "127.0.0.1"

log = logging.getLogger("anden.web")


@dataclass
class Activity:
    """Who is inside, so that a daemon does not end under a request."""

    inside: int = 0
    since: float = field(default_factory=time.monotonic)
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        """A request begins."""
        with self._lock:
            self.inside += 1

    def leave(self) -> None:
        """It has ended."""
        with self._lock:
            self.inside -= 1
            self.since = time.monotonic()

    def idle_s(self) -> float:
        """Seconds since the last request ended; 0 while one is inside."""
        with self._lock:
            return 0.0 if self.inside else time.monotonic() - self.since


def token(files: Files) -> str:
    """The token of the TCP listener, made at first use; only its owner can read it."""
    try:
        descriptor = os.open(files.token, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        files.token.chmod(FILE_MODE)
        kept = files.token.read_text().strip()
        if kept:
            return kept
        descriptor = os.open(files.token, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    made = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w") as file:
        file.write(made + "\n")
    return made


def listen_unix(files: Files) -> socket.socket:
    """Listen on the folder's socket, for its owner only from its first moment. Call it under the lock."""
    files.socket.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(files.socket))
    finally:
        os.umask(before)
    listening.listen(BACKLOG)
    return listening


def listen_tcp(port: int) -> socket.socket:
    """Listen on 127.0.0.1. Raises Problems when the port is taken or not allowed."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise Problems(
            Problem(f"port {HOST}:{port}", "cannot be listened on", error.strerror or str(error), "Use --port.")
        ) from error
    listening.listen(BACKLOG)
    return listening


class _Server(uvicorn.Server):
    """uvicorn's, which cannot be found any more as soon as it is to end, and tells its streams before it waits for
    them."""

    def __init__(self, config: uvicorn.Config, activity: Activity, files: Files) -> None:
        super().__init__(config)
        self.activity, self.files = activity, files

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        log.info("ending: %s", signal.Signals(sig).name)
        self.leave()
        super().handle_exit(sig, frame)

    def leave(self) -> None:
        """End soon. Whoever calls from now on finds no socket and starts a daemon, which waits for our lock."""
        self.files.socket.unlink(missing_ok=True)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.activity.stopping.set()
        await super().shutdown(sockets)


def serve(
    files: Files,
    app: App,
    activity: Activity,
    needed: Callable[[], bool] | None,
    *,
    port: int | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve `app` until SIGTERM, SIGINT, or idleness while `needed()` is false (None: it never ends by itself).
    Call it under the lock, in the main thread. `port`: listen on 127.0.0.1 as well, behind the token."""
    sockets = [listen_unix(files)]
    try:
        if port is not None:
            sockets.append(listen_tcp(port))
        names = frozenset(f"{name}:{port}" for name in (HOST, "localhost")) if port is not None else frozenset[str]()
        door = Door(app, token(files) if port is not None else None, names)
        config = uvicorn.Config(
            door, http=PeerProtocol, ws="none", lifespan="off", log_config=None, access_log=False,
            timeout_graceful_shutdown=GRACE_S, limit_concurrency=MOST_CONNECTIONS, server_header=False,
            proxy_headers=False,
        )  # fmt: skip
        server = _Server(config, activity, files)
        if needed is not None:
            watch = threading.Thread(target=_watch, args=(server, activity, needed), name="idle", daemon=True)
            watch.start()
        log.info("serving %s, process %d", files.socket, os.getpid())
        ready()
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises the signals that ended it once more, for whoever handled them before it: nobody.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: None)
        server.run(sockets=sockets)
    finally:
        for each in sockets:
            each.close()
        files.socket.unlink(missing_ok=True)
        log.info("ended")


def _watch(server: _Server, activity: Activity, needed: Callable[[], bool]) -> None:
    while not server.should_exit:
        time.sleep(LOOK_S)
        try:
            if activity.idle_s() >= IDLE_S and not needed() and activity.idle_s() >= IDLE_S:
                log.info("nothing is left to look after")
                server.leave()
        except Exception:
            log.exception("cannot tell whether anything is left to look after")
            time.sleep(IDLE_S)


def write_log(files: Files, *, terminal: bool) -> None:
    """Send this process's log to the folder's file, rotated; to the terminal as well under `anden serve`."""
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(files.log, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    ]
    if terminal:
        handlers.append(logging.StreamHandler())
    form = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(form)
        root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn.error", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
