"""A real HAProxy with a rendered configuration, on loopback: the gateway as a process of the cell runs it."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anden.engines.local.render import access_log, haproxy
from anden.engines.local.render.haproxy import Server
from anden.model.configuration import Configuration

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")
READY_S = 5.0
LOG_S = 2.0
"""HAProxy writes a line when it is done with a request, which may be after the answer was read."""


@dataclass(frozen=True)
class Running:
    """folder: has its files; `access` is the access log. tls: the port with TLS, where there is a certificate."""

    port: int
    folder: Path
    process: subprocess.Popen[str]
    tls: int = 0

    def lines(self) -> list[dict[str, Any]]:
        """The access log. Each line is a JSON document, or this raises."""
        return [json.loads(line) for line in (self.folder / "access").read_text().splitlines()]

    def line(self, **wanted: Any) -> dict[str, Any]:
        """The last line that has all of these; waits for it."""
        deadline = time.monotonic() + LOG_S
        while True:
            found = [one for one in self.lines() if wanted.items() <= one.items()]
            if found or time.monotonic() > deadline:
                return found[-1]
            time.sleep(0.01)


@contextlib.contextmanager
def running(
    folder: Path, configuration: Configuration, servers: Sequence[Server], descriptors: dict[int, int] | None = None,
    certificate: Path | None = None,
) -> Iterator[Running]:  # fmt: skip
    """Until the block ends. It listens on 127.0.0.1. descriptors: more that it inherits, theirs to ours. certificate:
    the file with it and its key, for a configuration with TLS."""
    if HAPROXY is None:
        pytest.skip("haproxy is not installed")
    for name, pem in haproxy.key_files(configuration).items():
        (folder / name).write_text(pem)
    (folder / "paths").write_text("")
    text = haproxy.config(
        configuration, servers, socket=str(folder / "s"), paths=str(folder / "paths"), keys=str(folder),
        certificate=None if certificate is None else str(certificate),
    )  # fmt: skip
    if os.getuid():
        text = text.replace("    uid 65534\n    gid 65534\n", "")
    (folder / "cfg").write_text(text)
    listening = socket.create_server(("127.0.0.1", 0), backlog=haproxy.BACKLOG)
    secure = socket.create_server(("127.0.0.1", 0), backlog=haproxy.BACKLOG)
    with (folder / "access").open("ab") as access:
        given = {haproxy.GATEWAY_FD: listening.fileno(), access_log.FD: access.fileno(), **(descriptors or {})}
        given |= {haproxy.TLS_FD: secure.fileno()} if certificate is not None else {}
        aside = {target: os.dup(ours) for target, ours in given.items()}

        def take() -> None:
            for target, ours in aside.items():
                os.dup2(ours, target)

        process = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(folder / "cfg")], close_fds=False, stderr=subprocess.PIPE, text=True,
            preexec_fn=take,  # noqa: PLW1509 - system calls only
        )  # fmt: skip
        for ours in aside.values():
            os.close(ours)
    try:
        deadline = time.monotonic() + READY_S
        while process.poll() is None and time.monotonic() < deadline and not (folder / "s").exists():
            time.sleep(0.02)
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        yield Running(listening.getsockname()[1], folder, process, secure.getsockname()[1] if certificate else 0)
    finally:
        process.kill()
        process.communicate()
        listening.close()
        secure.close()
