"""One rehearsal, from the side that joins: raised, looked at, and left without a trace."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

from anden.engines.local import wire
from anden.engines.local.cell import dataplane, speaker
from anden.engines.local.cell.charon import Charon, Refused
from anden.engines.local.cell.far_server import Core, Server, put
from anden.engines.local.cell.link_files import PRIVATE, write
from anden.engines.local.cell.links import DAEMON
from anden.engines.local.join import networks
from anden.engines.local.join.apart import Apart
from anden.engines.local.render.strongswan import settings
from anden.model.invitation import Invitation
from anden.model.link import Agreement
from anden.model.problem import Problem, Problems
from anden.model.sight import Asked, Sight, TunnelSight
from anden.planning import sights
from anden.planning.devices import bird, strongswan

RUN = Path("/run")
PREFIX = "anden-join-"
READY_S = 10.0
"""Until strongSwan answers; 50 ms are usual."""
LOAD_S = 20.0
END_S = 3.0
MOST_ASKED = 1_000
"""Pairs of source and target that are told apart."""


class Carrier(Protocol):
    """What goes between our strongSwan and the other side."""

    @property
    def heard(self) -> wire.Heard:
        """As it is now."""

    def carry(self) -> None:
        """Until it ends. Raises OSError when this machine cannot."""

    def end(self) -> None:
        """Have `carry` return."""


class Joining:
    """A context: raised when it is entered, gone when it is left. Raises Problems, OSError."""

    def __init__(self, invitation: Invitation) -> None:
        self._invitation = invitation
        self._agreement = invitation.agreement
        self._since = time.time()
        self._asked: dict[tuple[str, str], Asked] = {}
        self._lock = threading.Lock()
        self._tunnels = {tunnel.number: TunnelSight(tunnel.number, False) for tunnel in self._agreement.tunnels}
        self._sight = Sight(self._since, self._since, False, tuple(self._tunnels.values()))
        self._undo = ExitStack()

    def __enter__(self) -> "Joining":
        with ExitStack() as undo:
            self._raise(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def look(self) -> Sight:
        """As it is now."""
        now, heard = time.time(), self._wire.heard
        for number, was in self._tunnels.items():
            up = self._up(number)
            if up != was.up:
                self._tunnels[number] = TunnelSight(number, up, now)
        with self._lock:
            asked = tuple(self._asked.values())
        tunnels = tuple(self._tunnels.values())
        self._sight = Sight(now, self._since, heard.there(now), tunnels, asked, heard.into, heard.out)
        return self._sight

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said once it stands."""
        return ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why tunnels are not up, where this side is the one that raises them."""
        return ()

    def theirs(self) -> Sight | None:
        """What the environment's side said last that it sees."""
        return sights.believed(self._wire.heard.word, self._agreement)

    def _up(self, number: int) -> bool:
        with suppress(OSError, Refused):
            return self._daemon.standing(f"{self._agreement.link}-{number}").up
        return False

    def _raise(self, undo: ExitStack) -> None:
        sweep()
        folder = _folder(undo)
        core, between = Apart("core"), Apart("between")
        undo.callback(core.end)
        undo.callback(between.end)
        networks.lay(self._agreement, core, between)
        doors = networks.doors(self._agreement, between)
        for door in doors:
            undo.enter_context(door.socket)
        self._daemon = self._begin(core, folder, undo)
        self._load(folder)
        self._speak(core, undo)
        for port in sorted({each.port for each in self._invitation.openings}):
            self._serve(core, port, undo)
        self._wire = self._carrier(doors, undo)
        carrying = threading.Thread(target=self._wire.carry, name="wire", daemon=True)
        carrying.start()
        undo.callback(carrying.join, END_S)
        undo.callback(self._wire.end)
        undo.callback(self._say_farewell)  # the first thing to be done: the other side hears it by the wire

    def _carrier(self, doors: Sequence[wire.Door], undo: ExitStack) -> Carrier:
        """What goes between the doors and the other side."""
        outer = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
        rehearsal = self._invitation.rehearsal
        seal, meet = wire.joining(rehearsal.wire), _met(rehearsal.meet)
        return wire.Wire(outer, seal, doors, rehearsal.until, meet, lambda: sights.told(self._sight))

    def _begin(self, core: Apart, folder: Path, undo: ExitStack) -> Charon:
        file = folder / "strongswan.conf"
        write(file, settings(self._agreement, folder, dataplane.probe()), 0o600)
        log = folder / "log"
        process = core.start([DAEMON], {**os.environ, "STRONGSWAN_CONF": str(file)}, log)
        undo.callback(_end, process)
        daemon, deadline = Charon(folder), time.monotonic() + READY_S
        while not daemon.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
                raise Problems(Problem("strongSwan", "it does not start", last, "`--check` says what is missing."))
            time.sleep(0.01)
        return daemon

    def _load(self, folder: Path) -> None:
        """What their device would be configured with, and the keys of the rehearsal; the certificate and its key in
        their place. No file of it is left."""
        text = strongswan.theirs(self._agreement, self._invitation.openings, self._invitation.admitted)
        for name, value in self._invitation.rehearsal.keys.items():
            text = text.replace(strongswan.missing(name), f'secret = "{value}"')
        told = folder / "swanctl"
        told.mkdir(mode=PRIVATE)
        file = told / "swanctl.conf"
        try:
            write(file, text, 0o600)
            if self._invitation.credential is not None:
                put(told, self._agreement, self._invitation.credential)
            argv = [
                "swanctl", "--load-all", "--noprompt", "--file", str(file), "--uri", f"unix://{self._daemon.socket}",
            ]  # fmt: skip
            done = subprocess.run(argv, capture_output=True, text=True, timeout=LOAD_S, check=False)
        finally:
            shutil.rmtree(told, ignore_errors=True)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise Problems(Problem("swanctl", "it refuses the configuration", last, "Report this, with the line."))

    def _speak(self, core: Apart, undo: ExitStack) -> None:
        """What their device announces, where BGP is spoken."""
        if self._agreement.bgp is None:
            return
        folder = _folder(undo)
        text = bird.theirs(self._agreement, self._invitation.openings)
        # Another user's process loses what `Apart.start` told it: to end with its parent.
        argv = speaker.prepare(folder, text, "--pdeathsig", "KILL")
        undo.callback(_end, core.start(argv, os.environ, Path(os.devnull)))

    def _serve(self, core: Apart, port: int, undo: ExitStack) -> None:
        asked = self._ask

        class Told(Core):
            def asked(self, to: str) -> None:
                asked(self.client_address[0], to)

        server: ThreadingHTTPServer = core.do(lambda: Server(("0.0.0.0", port), Told))  # noqa: S104 - of its own network
        undo.callback(server.server_close)
        threading.Thread(target=server.serve_forever, name=f"core-{port}", daemon=True).start()
        undo.callback(server.shutdown)

    def _ask(self, source: str, to: str) -> None:
        now = time.time()
        with self._lock:
            was = self._asked.get((source, to))
            if was is not None:
                self._asked[source, to] = Asked(source, to, was.times + 1, was.first, now)
            elif len(self._asked) < MOST_ASKED:
                self._asked[source, to] = Asked(source, to, 1, now, now)

    def _say_farewell(self) -> None:
        _farewell(self._daemon, self._agreement)


def _farewell(daemon: Charon, agreement: Agreement) -> None:
    for tunnel in agreement.tunnels:
        with suppress(OSError, Refused):
            if daemon.standing(f"{agreement.link}-{tunnel.number}").up:
                daemon.down(f"{agreement.link}-{tunnel.number}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_S)


def _met(meet: str) -> tuple[str, int]:
    """Raises Problems: its name leads nowhere."""
    host, _, port = meet.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        what, why = f"{host} leads nowhere", error.strerror or str(error)
        raise Problems(Problem("meet", what, why, "Ask for an invitation with an address: `--meet`.")) from None
    address, number = found[0][4][:2]
    return str(address), int(number)


def _folder(undo: ExitStack) -> Path:
    """On /run, held while this process is there."""
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=RUN))
    undo.callback(shutil.rmtree, made, ignore_errors=True)
    held = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    undo.callback(os.close, held)
    fcntl.flock(held, fcntl.LOCK_EX)
    return made


def sweep() -> None:
    """Remove what a killed one has left: its folder; the rest ended with it. Whether it was killed is told by who holds
    the folder: processes of another PID namespace, who may share /run, are not seen from here."""
    for left in RUN.glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else removed it, or holds it
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
