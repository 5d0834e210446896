"""A real registry (Debian's `docker-registry`) on loopback, with a login; ended by its process id."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_LIMIT_S, END_LIMIT_S, POLL_S = 20.0, 5.0, 0.05
CONFIGURATION = """version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """url: where it answers. root: the folder with what it holds. pid: its process."""

    url: str
    root: Path
    pid: int

    def digests(self, repository: str) -> set[str]:
        """The manifests that lie there, tagged or not."""
        folder = self.root / "docker/registry/v2/repositories" / repository / "_manifests/revisions/sha256"
        return {f"sha256:{each.name}" for each in folder.iterdir()} if folder.is_dir() else set()


def found() -> str | None:
    """Where the program is; None: it is not installed."""
    return os.environ.get("ANDEN_REGISTRY") or shutil.which("docker-registry")


@contextmanager
def running(htpasswd: str = "") -> Iterator[Running]:
    """htpasswd: who may log in, as a line of such a file; empty: everybody."""
    program = found()
    if program is None:
        raise RuntimeError("docker-registry is not installed: ./test says how")
    with tempfile.TemporaryDirectory(prefix="anden-registry-") as folder:
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            port = asked.getsockname()[1]
        root, users, log = Path(folder, "data"), Path(folder, "users"), Path(folder, "log")
        users.write_text(htpasswd)
        auth = f"auth: {{htpasswd: {{realm: test, path: {users}}}}}" if htpasswd else ""
        Path(folder, "config.yml").write_text(CONFIGURATION.format(root=root, port=port, auth=auth))
        with log.open("wb") as output:
            started = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program, "serve", str(Path(folder, "config.yml"))],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"]},
            )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(started, url, log)
            yield Running(url, root, started.pid)
        finally:
            started.send_signal(signal.SIGTERM)
            try:
                started.wait(END_LIMIT_S)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait(END_LIMIT_S)


def _wait(started: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and started.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/v2/", timeout=1).close()  # noqa: S310 - loopback
            return
        except urllib.error.HTTPError as answer:
            if answer.code == 401:
                return
        except OSError:
            pass
        time.sleep(POLL_S)
    raise RuntimeError(f"the registry did not start:\n{log.read_text(errors='replace')[-2000:]}")
