"""The twin's data centre on the other side of a link: `python -m anden.engines.local.cell.far_server NUMBER`.

It gives its strongSwan the configuration that a client is given, with the keys put in, whenever that daemon is another
one than before; and it answers for every address of the link's networks by HTTP: who it was asked by, as a core banking
system would see it. It runs in the network of the other side.
"""

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address

from anden.engines.local.cell.charon import Charon
from anden.engines.local.cell.link_files import LinkFiles, write
from anden.model import codec
from anden.model.link import Agreement
from anden.planning.devices import strongswan

LOOK_S = 0.5
LOAD_S = 20.0
ANSWER_S = 10.0


class Core(BaseHTTPRequestHandler):
    """A balance for every path; what matters is who is seen."""

    protocol_version = "HTTP/1.1"
    timeout = ANSWER_S

    def do_GET(self) -> None:
        """Any path."""
        here = self.connection.getsockname()
        self.asked(f"{here[0]}:{here[1]}")
        said = {"core": f"{here[0]}:{here[1]}", "seen": self.client_address[0], "path": self.path}
        body = json.dumps(said).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def asked(self, to: str) -> None:
        """For who wants to know it: this one does not."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the cell's log is no access log."""


class Server(ThreadingHTTPServer):
    """It leaves room for a probe that wants to hear one address itself."""

    daemon_threads = True
    allow_reuse_port = True


def serve(address: IPv4Address, port: int) -> None:
    """Answer there, for good, in a thread. Raises OSError."""
    server = Server((str(address), port), Core)
    threading.Thread(target=server.serve_forever, name=f"core-{port}", daemon=True).start()


def load(files: LinkFiles, agreement: Agreement, daemon: Charon) -> bool:
    """Tell the data centre's daemon what a client is told; whether it took it."""
    with suppress(OSError):
        daemon.deepen()
    text = strongswan.theirs(agreement)
    for name, value in files.keys().items():
        text = text.replace(strongswan.missing(name), f'secret = "{value}"')
    file = daemon.folder / "theirs.conf"
    write(file, text, 0o600)
    argv = ["swanctl", "--load-all", "--noprompt", "--file", str(file), "--uri", f"unix://{daemon.socket}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LOAD_S, check=False)
    if done.returncode != 0:
        print(f"link {agreement.link}: the data centre: {done.stderr.strip()}", file=sys.stderr, flush=True)
    return done.returncode == 0


def main(number: int) -> None:
    """Serve until killed."""
    files = LinkFiles(number)
    agreement = codec.from_json(Agreement, files.agreement.read_text())
    for port in json.loads(files.far.read_text() or "[]"):
        serve(IPv4Address(0), port)
    daemon, known = Charon(files.daemon(None)), ""
    while True:
        own = _stamp(daemon, files)
        if own != known and daemon.ready() and load(files, agreement, daemon):
            known = own
        time.sleep(LOOK_S)


def _stamp(daemon: Charon, files: LinkFiles) -> str:
    """Another one for another daemon and for other keys."""
    try:
        about = daemon.socket.stat()
        return f"{about.st_ino} {about.st_ctime_ns} {sorted(files.keys().items())}"
    except (OSError, ValueError):
        return ""


if __name__ == "__main__":
    main(int(sys.argv[1]))
