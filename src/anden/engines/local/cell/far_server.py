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
from pathlib import Path

from anden.engines.local.cell.charon import Charon, Refused
from anden.engines.local.cell.link_files import OTHER_SIDE, PRIVATE, LinkFiles, write
from anden.engines.local.render.strongswan import Proof
from anden.model import codec
from anden.model.invitation import Credential
from anden.model.link import Agreement
from anden.planning.devices import strongswan

LOOK_S = 0.5
PREFER_S = 2.0
"""Between two looks at which tunnel answers are sent by."""
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
    if agreement.certified:
        put(daemon.folder, agreement, files.proof(OTHER_SIDE))
    else:
        for name, value in files.keys().items():
            text = text.replace(strongswan.missing(name), f'secret = "{value}"')
    file = daemon.folder / "theirs.conf"
    write(file, text, 0o600)
    argv = ["swanctl", "--load-all", "--clear", "--noprompt", "--file", str(file), "--uri", f"unix://{daemon.socket}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LOAD_S, check=False)
    if done.returncode != 0:
        print(f"link {agreement.link}: the data centre: {done.stderr.strip()}", file=sys.stderr, flush=True)
    return done.returncode == 0


def put(folder: Path, agreement: Agreement, proof: Proof | Credential) -> None:
    """Certificate, key and authority of the other side, where swanctl looks for them: beside its file. Raises
    OSError."""
    own, authority = strongswan.files(agreement)
    for name, text in (
        (f"x509/{own}", proof.certificate), (f"private/{own}", proof.key), (f"x509ca/{authority}", proof.authority),
    ):  # fmt: skip
        (folder / name).parent.mkdir(mode=PRIVATE, exist_ok=True)
        write(folder / name, text, 0o600)


def prefer(daemon: Charon, agreement: Agreement) -> None:
    """Answer by the first tunnel that is up, which is the one that is asked by, as a device does behind which a
    firewall wants to see both ways. strongSwan and the kernel know no preference: of several pairs of channels for the
    same networks the latest is used. So the first one is renewed when another is later. With BGP the tunnels' networks
    differ, and renewing changes nothing: there the latest stays. Raises OSError, Refused."""
    standing = [daemon.standing(f"{agreement.link}-{tunnel.number}") for tunnel in agreement.tunnels]
    first, *others = [each.channels for each in standing if each.up] or [0]
    if any(other > first for other in others):
        daemon.renew(first)


def main(number: int) -> None:
    """Serve until killed."""
    files = LinkFiles(number)
    agreement = codec.from_json(Agreement, files.agreement.read_text())
    for port in json.loads(files.far.read_text() or "[]"):
        serve(IPv4Address(0), port)
    daemon, known, preferred = Charon(files.daemon(None)), "", 0.0
    while True:
        own = _stamp(daemon, files, agreement.certified)
        if own and own != known and daemon.ready() and load(files, agreement, daemon):
            known = own
        if known and agreement.bgp is None and time.monotonic() - preferred > PREFER_S:
            with suppress(OSError, Refused):  # next time
                prefer(daemon, agreement)
            preferred = time.monotonic()
        time.sleep(LOOK_S)


def _stamp(daemon: Charon, files: LinkFiles, certified: bool) -> str:
    """Another one for another daemon, and for other keys or another certificate; empty: they are not there yet."""
    try:
        about = daemon.socket.stat()
        proof = files.proof(OTHER_SIDE).certificate if certified else sorted(files.keys().items())
        return f"{about.st_ino} {about.st_ctime_ns} {proof}"
    except (OSError, ValueError):
        return ""


if __name__ == "__main__":
    main(int(sys.argv[1]))
