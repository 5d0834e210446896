"""Raises a cell's links: their networks, a strongSwan daemon for each tunnel, the watch that keeps tunnels up and moves
the route, and the data centre on the other side where it is wanted.

All of them are init's children and outlive the supervisor; what has died is started again by `tend`.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from anden.engines.local import endpoints
from anden.engines.local.cell import dataplane, link_network, netns, speaker
from anden.engines.local.cell.charon import Charon
from anden.engines.local.cell.link_files import FOLDER, PRIVATE, SPEAKERS, LinkFiles, write
from anden.engines.local.cell.spawner import Spawner
from anden.engines.local.render import bird as ours
from anden.engines.local.render import strongswan
from anden.engines.local.render.strongswan import Dataplane
from anden.engines.local.wire import Heard
from anden.model import codec
from anden.model.configuration import Configuration, Linked
from anden.model.invitation import Rehearsal, Vouched
from anden.model.link import Agreement, Invited, LinkSeen, Outage, Session, TunnelSeen
from anden.model.problem import Problem, Problems
from anden.planning import link_page, sights
from anden.planning.devices import bird

DAEMON = "/usr/sbin/charon-systemd"
BATCH = ("chrt", "--batch", "0")
"""Before a daemon that encrypts by itself: a packet goes through several of its threads, and woken as batch work
(sched(7)) they take turns instead of interrupting each other. Two fifths more went through, on two processors."""
RELAY_FD = 3
"""The relay's socket, as it knows it."""
GONE_S = 2.0
INSTALL = "`anden doctor` says which packages to install."
Keys = Mapping[str, Mapping[str, str]]
"""Link to key's name to its value."""


class Links:
    """The links of a cell. Safe to call from several threads."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner
        self._lock = threading.RLock()
        self._links: dict[int, tuple[Linked, Agreement]] = {}
        self._ports: dict[int, tuple[int, ...]] = {}
        self._plane: Dataplane | None = None

    def configure(self, configuration: Configuration, keys: Keys | None) -> None:
        """Raise what is new, end what is gone, leave the rest as it is. keys: None: those that are kept here (a
        supervisor that came back). Raises OSError, Problems."""
        with self._lock:
            wanted = {
                linked.number: (linked, endpoints.agreed(configuration.layout, linked))
                for linked in configuration.links
            }
            for number in self._standing() - wanted.keys():
                self._drop(number)
            self._links = {}
            for number, (linked, agreement) in wanted.items():
                name = linked.link.name
                behind = {allow.port for allow in configuration.allows_behind if allow.link == name}
                self._ports[number] = tuple(sorted(behind))
                self._raise(linked, agreement, None if keys is None else keys.get(name, {}))
                admits = any(allow.link == name for allow in configuration.allows_in)
                link_network.welcome(agreement, configuration.layout.balancer if admits else None)
                self._links[number] = (linked, agreement)
            self.tend()

    def tend(self) -> None:
        """Start what does not run. Call it now and then. Raises OSError."""
        with self._lock:
            running = self._spawner.running()
            for number, (_, agreement) in self._links.items():
                files = LinkFiles(number)
                for tunnel in agreement.tunnels:
                    station = endpoints.station(number, tunnel.number)
                    if station not in running:
                        self._daemon(files, agreement, station, tunnel.number)
                    if agreement.bgp is not None and _speaker(station) not in running:
                        text = ours.ours(agreement, tunnel)
                        self._speak(_speaker(station), station, files.speaker(tunnel.number), text, agreement)
                if _watch(number) not in running:
                    self._spawn(_watch(number), "link_server", str(number), None)
                self._far(files, agreement, running)
                self._join(files, running)

    def seen(self) -> tuple[LinkSeen, ...]:
        """Each link as its watch sees it."""
        with self._lock:
            return tuple(
                _seen(linked, agreement, LinkFiles(number)) for number, (linked, agreement) in self._links.items()
            )

    def turn(self, name: str, tunnel: int | None, up: bool) -> None:
        """Have a tunnel, or all of the link's, be raised or stay down. Raises Problems for what is not there."""
        with self._lock:
            number, agreement = self._named(name)
            known = {each.number for each in agreement.tunnels}
            if tunnel is not None and tunnel not in known:
                why = f"it has {len(known)}"
                raise Problems(Problem(f"link {name}", f"there is no tunnel {tunnel}", why, "Say --tunnel 1."))
            meant = frozenset(known if tunnel is None else {tunnel})
            files = LinkFiles(number)
            files.lower(files.lowered() - meant if up else files.lowered() | meant)
            if (pid := self._spawner.running().get(_watch(number))) is not None:
                self._spawner.kill(pid, signal.SIGHUP)

    def datacentre(self, wanted: bool) -> list[str]:
        """Have the twin's data centre stand on the other side of every link, or nobody; the links' names."""
        with self._lock:
            if wanted:
                self._uninvited()
            for number, (_, agreement) in self._links.items():
                files = LinkFiles(number)
                if wanted:
                    link_network.settle(number, agreement)
                    self._open(files)
                else:
                    files.far.unlink(missing_ok=True)
            self.tend()
            return [linked.link.name for linked, _ in self._links.values()]

    def invite(self, name: str, rehearsal: Rehearsal | None) -> Vouched | None:
        """Have who holds the invitation be the other side, by the socket that init keeps for it; None: nobody any more.
        The link's own keys rest meanwhile, and so does the data centre. Returns the certificate that was issued for the
        invitation's public key, where certificates prove both sides. Raises Problems, OSError."""
        with self._lock:
            number, agreement = self._named(name)
            files, issued = LinkFiles(number), None
            if rehearsal is not None and (rehearsal.public or agreement.certified):
                issued = self._issue(files, agreement, rehearsal)
                rehearsal = replace(rehearsal, certificate=issued.certificate)
            self._end(number, socket_too=rehearsal is None)
            if rehearsal is not None:
                files.far.unlink(missing_ok=True)
                link_network.stand(number, agreement)
                write(files.invited, codec.to_json(rehearsal), 0o600)
            for tunnel in agreement.tunnels:  # what was raised by other keys is not this rehearsal's
                with suppress(OSError):
                    Charon(files.daemon(tunnel.number)).down(name)
            self.tend()
            return issued

    def _issue(self, files: LinkFiles, agreement: Agreement, rehearsal: Rehearsal) -> Vouched:
        from anden.engines.local.cell import link_certificates  # noqa: PLC0415 - most links need no cryptography

        try:
            return link_certificates.issue(files, agreement, rehearsal, time.time())
        except Problems:
            self._spawner.drop(relay(files.number))  # nobody is met there
            raise

    def sign(self, name: str, written: str) -> tuple[str, str] | None:
        """A page's signature by the rehearsal's key, which leaves the cell for nobody, and the invitation's id; None:
        nobody is invited. Raises Problems."""
        with self._lock:
            number, _ = self._named(name)
            rehearsal = LinkFiles(number).rehearsal()
            return None if rehearsal is None else (rehearsal.id, link_page.signature(written, rehearsal.wire))

    def _end(self, number: int, *, socket_too: bool = False) -> None:
        files = LinkFiles(number)
        if (pid := self._spawner.running().get(relay(number))) is not None:
            self._spawner.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + GONE_S
            while self._spawner.alive(pid) and time.monotonic() < deadline:
                time.sleep(0.01)
        files.invited.unlink(missing_ok=True)
        files.joined.unlink(missing_ok=True)
        if socket_too:
            self._spawner.drop(relay(number))

    def _uninvited(self) -> None:
        """Raises Problems: somebody is."""
        open_ = [linked.link.name for number, (linked, _) in self._links.items() if LinkFiles(number).rehearsal()]
        if open_:
            what = "somebody is invited to be the other side"
            fix = f"`anden link invite {open_[0]} --end` ends that."
            raise Problems(Problem(f"link {open_[0]}", what, "the data centre would be a second one", fix))

    def _join(self, files: LinkFiles, running: Mapping[str, int]) -> None:
        number = files.number
        if files.rehearsal() is None:
            if files.invited.exists():
                self._end(number, socket_too=True)
            return
        if relay(number) in running:
            return
        outer = self._spawner.take(relay(number))
        if outer is None:  # it was never there: the invitation was half-way
            self._end(number)
            return
        argv = [sys.executable, "-m", "anden.engines.local.cell.link_relay", str(number)]
        try:
            with suppress(FileExistsError):
                place = str(netns.path(endpoints.wire(number)))
                self._spawner.spawn(relay(number), argv, netns=place, fds={RELAY_FD: outer})
        finally:
            os.close(outer)

    def _named(self, name: str) -> tuple[int, Agreement]:
        for number, (linked, agreement) in self._links.items():
            if linked.link.name == name:
                return number, agreement
        known = ", ".join(linked.link.name for linked, _ in self._links.values()) or "there are none"
        raise Problems(
            Problem(f"link {name}", "nothing of this name runs", known, "`anden up` raises what is declared.")
        )

    def _raise(self, linked: Linked, agreement: Agreement, keys: Mapping[str, str] | None) -> None:
        files, said = LinkFiles(linked.number), codec.to_json(agreement)
        files.folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        before = files.agreement.read_text() if files.agreement.exists() else None
        if before is not None and before != said:
            self._end(linked.number, socket_too=True)  # who was invited was told the other one
            self._stop(linked.number)  # both sides' daemons learn it anew
            for left in (files.certificates, files.daemon(None)):  # certificates of before, and their keys
                shutil.rmtree(left, ignore_errors=True)
            was = codec.from_json(Agreement, before)
            link_network.welcome(was, None)
            link_network.take_up(linked.number, len(was.tunnels))
        if keys is not None:
            files.put_keys(keys)
        link_network.lay(linked.number, agreement)
        if files.far.exists():
            link_network.settle(linked.number, agreement)
            self._open(files)
        write(files.agreement, said, 0o600)

    def _open(self, files: LinkFiles) -> None:
        """Which ports the data centre answers on."""
        said = json.dumps(self._ports[files.number])
        if files.far.exists() and files.far.read_text() == said:
            return
        write(files.far, said, 0o600)
        if (pid := self._spawner.running().get(_core(files.number))) is not None:
            self._spawner.kill(pid, signal.SIGTERM)

    def _standing(self) -> set[int]:
        with suppress(FileNotFoundError):
            return {int(path.name) for path in FOLDER.iterdir() if path.name.isdigit()}
        return set()

    def _drop(self, number: int) -> None:
        files = LinkFiles(number)
        self._end(number, socket_too=True)
        self._stop(number)
        if files.agreement.exists():
            agreement = codec.from_json(Agreement, files.agreement.read_text())
            netns.apart(lambda: link_network.release(agreement))
            link_network.welcome(agreement, None)
            link_network.take_up(number, len(agreement.tunnels))
        shutil.rmtree(files.folder, ignore_errors=True)
        for left in SPEAKERS.glob(f"{number}.*"):
            shutil.rmtree(left, ignore_errors=True)

    def _stop(self, number: int) -> None:
        """End its processes; the watch first, so that it does not raise what ends."""
        own = endpoints.wire(number)
        running = self._spawner.running()
        for name in sorted(running, key=lambda each: each != _watch(number)):
            if name in (_watch(number), *_others(number), relay(number)) or name.startswith(f"{own}."):
                self._spawner.kill(running[name], signal.SIGKILL)

    def _daemon(self, files: LinkFiles, agreement: Agreement, station: str, tunnel: int | None) -> None:
        folder = files.daemon(tunnel)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        (folder / strongswan.SOCKET).unlink(missing_ok=True)
        settings = folder / "strongswan.conf"
        write(settings, strongswan.settings(agreement, folder, self._encrypts()), 0o600)
        environment = {**os.environ, "STRONGSWAN_CONF": str(settings)}
        name = _far(files.number) if tunnel is None else station
        if not Path(DAEMON).exists():
            why = "strongSwan raises the tunnels, one daemon for each"
            raise Problems(Problem(f"link {agreement.link}", f"{DAEMON} is missing", why, INSTALL))
        before = BATCH if self._encrypts() is Dataplane.LIBIPSEC else ()
        with suppress(FileExistsError):
            self._spawner.spawn(name, [*before, DAEMON], netns=str(netns.path(station)), env=environment)

    def _speak(self, name: str, station: str, folder: Path, text: str, agreement: Agreement) -> None:
        """Start BIRD in a network."""
        try:
            self._spawner.spawn(name, speaker.prepare(folder, text), netns=str(netns.path(station)))
        except FileExistsError:
            pass
        except FileNotFoundError:
            why = "BIRD speaks BGP over the link, one for each tunnel"
            raise Problems(Problem(f"link {agreement.link}", f"{speaker.COMMAND} is missing", why, INSTALL)) from None

    def _far(self, files: LinkFiles, agreement: Agreement, running: Mapping[str, int]) -> None:
        number = files.number
        if not files.far.exists():
            for name in _others(number):
                if name in running:
                    self._spawner.kill(running[name], signal.SIGTERM)
            return
        if _far(number) not in running:
            self._daemon(files, agreement, endpoints.wire(number), None)
        if agreement.bgp is not None and _speaker(_far(number)) not in running:
            folder, text = files.speaker(None), bird.theirs(agreement)
            self._speak(_speaker(_far(number)), endpoints.wire(number), folder, text, agreement)
        if _core(number) not in running:
            self._spawn(_core(number), "far_server", str(number), endpoints.wire(number))

    def _spawn(self, name: str, module: str, what: str, station: str | None) -> None:
        place = None if station is None else str(netns.path(station))
        with suppress(FileExistsError):
            self._spawner.spawn(name, [sys.executable, "-m", f"anden.engines.local.cell.{module}", what], netns=place)

    def _encrypts(self) -> Dataplane:
        if self._plane is None:
            self._plane = dataplane.probe()
        return self._plane


def relay(number: int) -> str:
    """Of the process that carries to another machine, and of its socket, by name."""
    return f"link-relay-{number}"


def _watch(number: int) -> str:
    return f"link-watch-{number}"


def _far(number: int) -> str:
    return f"link-far-{number}"


def _core(number: int) -> str:
    return f"link-core-{number}"


def _speaker(of: str) -> str:
    return f"{of}.bgp"


def _others(number: int) -> tuple[str, ...]:
    """The processes of the data centre."""
    return _far(number), _speaker(_far(number)), _core(number)


def _seen(linked: Linked, agreement: Agreement, files: LinkFiles) -> LinkSeen:
    said, lowered = files.seen(), files.lowered()
    states: dict[str, dict[str, Any]] = said.get("tunnels", {})
    tunnels = []
    for tunnel in agreement.tunnels:
        one = states.get(str(tunnel.number), {})
        problem, bgp = one.get("problem"), one.get("bgp")
        tunnels.append(
            TunnelSeen(
                tunnel.number, bool(one.get("up")), one.get("since", 0.0), str(tunnel.ours.address or ""),
                tunnel.number in lowered, one.get("bytes_in", 0), one.get("bytes_out", 0),
                None if problem is None else codec.from_data(Problem, problem),
                None if bgp is None else codec.from_data(Session, bgp),
            )
        )  # fmt: skip
    by = said.get("by")
    return LinkSeen(
        linked.link.name, agreement.peer, by, tuple(tunnels), files.far.exists(), _invited(files, agreement),
        None if (outage := said.get("outage")) is None else codec.from_data(Outage, outage),
    )  # fmt: skip


def _invited(files: LinkFiles, agreement: Agreement) -> Invited | None:
    rehearsal = files.rehearsal()
    if rehearsal is None:
        return None
    heard = Heard()
    with suppress(OSError, ValueError):
        heard = codec.from_json(Heard, files.joined.read_text())
    joined = heard.peer if heard.there(time.time()) else ""
    sight = sights.believed(heard.word, agreement)
    return Invited(rehearsal.id, rehearsal.until, rehearsal.meet, joined, heard.at, heard.since, sight)
