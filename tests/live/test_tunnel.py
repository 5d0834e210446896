"""A link's tunnels with real daemons on both sides: ours as the product tells them, the other side by the file that a
client is given. `rt` stands for the cell's hub, `out` for the world between, `dc` for the data centre."""

import os
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from tests.live import network_world as world

from anden.engines.local import link_authority
from anden.engines.local.cell import dataplane, far_server, netns
from anden.engines.local.cell.buffers import BURST_BYTES
from anden.engines.local.cell.charon import Charon
from anden.engines.local.cell.tunnel import Link as Kept
from anden.engines.local.render.strongswan import Dataplane, Proof, settings
from anden.model.ids import ZoneName
from anden.model.link import Agreement, Endpoint, PolicyName
from anden.model.topology import REHEARSAL, Link
from anden.planning.devices.strongswan import theirs
from anden.planning.link_policies import POLICIES
from anden.planning.links import agreement

pytestmark = pytest.mark.live

CORE = Link(
    "core",
    IPv4Address("203.0.113.10"),
    (IPv4Network("10.20.0.0/16"),),
    ("vpn-1", "vpn-2"),
    IPv4Network("100.64.10.0/26"),
)
NETWORK = IPv4Network("172.30.0.0/16")
ENDPOINTS = (Endpoint(IPv4Address("203.0.113.101")), Endpoint(IPv4Address("203.0.113.102")))
AGREED = agreement(CORE, NETWORK, [ZoneName("a")], ENDPOINTS)
CERTIFIED = agreement(replace(CORE, secret=(), certificate=REHEARSAL), NETWORK, [ZoneName("a")], ENDPOINTS)
SERVER = ("10.20.4.17", 9)
SEEN_AS = "100.64.10.5"
MARKER = b"plaintext-of-a-bank"
RUN = Path("/run/t")
UP_S = 10.0
"""For a loaded machine; 30 ms are usual."""
ANSWER_S = 5.0
"""TCP sends again what was lost, after 0.2 s and longer."""
NOTICED_S = AGREED.watch.notices_s + 1.0
IPV4, UDP, IKE = b"\x08\x00", 17, {500, 4500}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class World:
    """Both sides, with the keys that each of them has."""

    def __init__(self, theirs_have: Mapping[str, str] | Proof) -> None:
        self.agreed = CERTIFIED if isinstance(theirs_have, Proof) else AGREED
        self.spawner = world.SubprocessSpawner()
        self._lay()
        self.daemons = [self._daemon(f"gw{tunnel.number}") for tunnel in AGREED.tunnels]
        self.theirs = theirs_have
        self.far = self._daemon("dc")
        self.answer()
        self._server = netns.inside("dc", lambda: socket.create_server(SERVER, backlog=100))
        threading.Thread(target=self._serve, daemon=True).start()

    def _lay(self) -> None:
        for name in ("out", "rt", "dc", "gw1", "gw2"):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "dev", "lo", "up")
            still = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
            loose = ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
            ip("netns", "exec", name, "sysctl", "-qw", *still, *loose)
        # Without snooping, for a bridge that snoops asks for 224.0.0.106 itself: a packet on the wire that is nobody's.
        ip("-n", "out", "link", "add", "name", "br", "type", "bridge", "mcast_snooping", "0")
        ip("-n", "out", "link", "set", "dev", "br", "up")
        self._cable("dc", str(CORE.peer))
        for address in ("10.20.0.1/32", f"{SERVER[0]}/32"):
            ip("-n", "dc", "addr", "add", address, "dev", "lo")
        for tunnel in AGREED.tunnels:
            name, hub = f"gw{tunnel.number}", f"169.254.6.{4 * tunnel.number + 1}"
            self._cable(name, str(tunnel.ours.address))
            ip("-n", "rt", "link", "add", "name", name, "type", "veth", "peer", "name", "lan", "netns", name)
            ip("-n", "rt", "addr", "add", f"{hub}/30", "dev", name)
            ip("-n", name, "addr", "add", f"169.254.6.{4 * tunnel.number + 2}/30", "dev", "lan")
            ip("-n", "rt", "link", "set", "dev", name, "up")
            ip("-n", name, "link", "set", "dev", "lan", "up")
            ip("-n", name, "addr", "add", f"{AGREED.router}/32", "dev", "lo")
            ip("-n", name, "route", "add", str(AGREED.local), "via", hub)
        ip("-n", "rt", "addr", "add", f"{SEEN_AS}/32", "dev", "lo")

    def _cable(self, name: str, address: str) -> None:
        ip("-n", "out", "link", "add", "name", name, "type", "veth", "peer", "name", "wan", "netns", name)
        ip("-n", "out", "link", "set", "dev", name, "master", "br", "up")
        ip("-n", name, "addr", "add", f"{address}/24", "dev", "wan")
        ip("-n", name, "link", "set", "dev", "wan", "up")

    def _daemon(self, name: str) -> Charon:
        folder = RUN / name
        folder.mkdir(parents=True)
        file = folder / "strongswan.conf"
        file.write_text(settings(AGREED, folder, Dataplane.LIBIPSEC))
        environment = {**os.environ, "STRONGSWAN_CONF": str(file)}
        self.spawner.spawn(name, ["/usr/sbin/charon-systemd"], netns=str(netns.path(name)), env=environment)
        daemon = Charon(folder)
        world.until(daemon.ready, f"{name} answers")
        return daemon

    def answer(self, change: Callable[[str], str] = str, agreed: Agreement | None = None) -> None:
        """The other side: a daemon with the client's file, where the keys have been put in; changed as somebody may."""
        agreed = agreed or self.agreed
        text = theirs(agreed)
        if isinstance(self.theirs, Proof):
            far_server.put(RUN, agreed, self.theirs)
        else:
            for name, value in self.theirs.items():
                text = text.replace(f"# secret = the value of {name}, handed over apart", f"secret = {value}")
        file = RUN / "theirs.conf"
        file.write_text(change(text))
        uri = f"unix://{self.far.socket}"
        load = ["swanctl", "--load-all", "--clear", "--noprompt", "--file", str(file), "--uri", uri]
        done = subprocess.run(load, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        words = ["swanctl", "--list-conns", "--uri", uri]
        listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        for tunnel in AGREED.tunnels:
            assert f"{CORE.name}-{tunnel.number}: IKEv2, no reauthentication, rekeying every 28260s" in listed
            assert f"remote: {tunnel.ours.address}" in listed.replace("  ", " ")

    def channels(self) -> str:
        """What the other side's daemon has: which algorithms, for one."""
        words = ["swanctl", "--list-sas", "--uri", f"unix://{self.far.socket}"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    def _serve(self) -> None:
        while True:
            asking, source = self._server.accept()
            with asking, suppress(OSError):
                asking.settimeout(ANSWER_S)
                asking.recv(1024)
                asking.sendall(source[0].encode())

    def ask(self, patience_s: float = ANSWER_S) -> str | None:
        """What the server saw of who asked; None: no answer."""
        with netns.inside("rt", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as asking:
            asking.settimeout(patience_s)
            with suppress(OSError):
                asking.connect(SERVER)
                asking.sendall(MARKER)
                return asking.recv(1024).decode() or None
            return None

    def keep(
        self, key: Callable[[str], str], proof: Callable[[int], Proof] | None = None, agreed: Agreement | None = None
    ) -> Kept:
        """Our side, begun."""
        kept = Kept(agreed or self.agreed, self.daemons, key, self._move, proof)
        kept.begin()
        return kept

    @staticmethod
    def _move(number: int | None) -> None:
        networks = [str(network) for network in AGREED.remote]
        for network in networks:
            if number is None:
                ip("-n", "rt", "route", "del", network)
            else:
                way = ("via", f"169.254.6.{4 * number + 2}", "src", SEEN_AS)
                ip("-n", "rt", "route", "replace", network, *way)


def the_data_plane_is_what_the_kernel_has() -> None:
    """Asked as the kernel's own tool asks."""
    key = "0x" + secrets.token_hex(36)
    state = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x1000", "mode", "tunnel"]
    added = subprocess.run(
        ["ip", "xfrm", "state", "add", *state, "aead", "rfc4106(gcm(aes))", key, "128"],
        check=False,
        capture_output=True,
    )
    found = dataplane.probe()
    assert (found is Dataplane.NETLINK) == (added.returncode == 0), f"{found}: {added.stderr.decode()}"
    print(f"data plane: {found}")


def keys() -> dict[str, str]:
    return {tunnel.key: secrets.token_hex(16) for tunnel in AGREED.tunnels}


def held(name: str) -> list[int]:
    """How many bytes each of the UDP sockets there holds that are not read yet."""
    words = ["ip", "netns", "exec", name, "ss", "-4uanm"]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return [int(size) for size in re.findall(r",rb(\d+),", listed)]


def both_up(kept: Kept) -> Callable[[], bool]:
    return lambda: all(state.up for state in kept.states().values())


def a_cut_tunnel_is_left_in_time_and_taken_again() -> None:
    both = keys()
    there = World(both)
    kept = there.keep(both.__getitem__)
    world.until(both_up(kept), "both tunnels are up", UP_S)
    assert kept.by == 1
    assert there.ask() == SEEN_AS
    assert set(held("gw1")) == {2 * BURST_BYTES}
    far_server.prefer(there.far, AGREED)  # so that both sides have to notice
    assert there.ask() == SEEN_AS
    ip("-n", "out", "link", "set", "dev", "gw1", "down")
    cut = time.monotonic()
    world.until(lambda: there.ask(0.2) == SEEN_AS, "the second one carries", NOTICED_S + UP_S)
    took = time.monotonic() - cut
    print(f"fail-over {took:.1f} s")
    assert took < NOTICED_S
    assert kept.by == 2
    world.until(lambda: kept.states()[1].problem is not None, "its cause is known", UP_S)
    problem = kept.states()[1].problem
    assert problem is not None
    assert problem.what == "203.0.113.10 does not answer"
    ip("-n", "out", "link", "set", "dev", "gw1", "up")
    world.until(lambda: kept.by == 1, "the first one is back", UP_S)
    assert there.ask() == SEEN_AS


def nothing_is_lost_by_a_lowered_tunnel() -> None:
    both = keys()
    there = World(both)
    kept = there.keep(both.__getitem__)
    world.until(both_up(kept), "both tunnels are up", UP_S)
    answers: list[str | None] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            answers.append(there.ask())

    loading = threading.Thread(target=load)
    loading.start()
    kept.lower(1)
    assert kept.by == 2
    assert not there.daemons[0].standing(CORE.name).up
    kept.lift(1)
    world.until(lambda: kept.by == 1, "it is lifted again", UP_S)
    done.set()
    loading.join()
    assert len(answers) > 10
    assert set(answers) == {SEEN_AS}
    with netns.inside("rt", lambda: socket.create_connection(SERVER, ANSWER_S)) as open_before:
        kept.lower(1)
        kept.lower(2)
        assert kept.by is None
        assert there.ask(0.2) is None
        open_before.sendall(MARKER)
        kept.lift(1)
        world.until(lambda: kept.by == 1, "one is lifted again", UP_S)
        open_before.settimeout(UP_S)
        assert open_before.recv(1024).decode() == SEEN_AS, "what was open outlives an outage"


def the_other_side_answers_by_the_tunnel_that_it_is_asked_by() -> None:
    both = keys()
    there = World(both)
    kept = there.keep(both.__getitem__)

    def answered() -> list[int]:
        before = [daemon.standing(CORE.name).packets_in for daemon in there.daemons]
        assert there.ask() == SEEN_AS
        after = [daemon.standing(CORE.name).packets_in for daemon in there.daemons]
        return [number for number, (was, now) in enumerate(zip(before, after, strict=True), 1) if now > was]

    world.until(both_up(kept), "both tunnels are up", UP_S)
    kept.lower(2)
    kept.lift(2)
    world.until(both_up(kept), "the second one is up again", UP_S)
    assert answered() == [2], "the latest is used"
    far_server.prefer(there.far, AGREED)
    world.until(lambda: answered() == [1], "answers come by the first", UP_S)
    renewed = there.far.standing(f"{CORE.name}-1").channels
    far_server.prefer(there.far, AGREED)
    assert answered() == [1]
    assert there.far.standing(f"{CORE.name}-1").channels == renewed, "once is enough"
    kept.lower(1)
    assert answered() == [2]


def only_ike_crosses_the_wire() -> None:
    both = keys()
    there = World(both)
    with netns.inside("out", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))) as wire:
        wire.bind(("dc", 3))
        wire.settimeout(0.3)
        kept = there.keep(both.__getitem__)
        world.until(both_up(kept), "both tunnels are up", UP_S)
        assert there.ask() == SEEN_AS
        heard: list[bytes] = []
        with suppress(TimeoutError):
            while len(heard) < 1000:
                heard.append(wire.recv(65536))
    packets = [frame[14:] for frame in heard if frame[12:14] == IPV4]
    assert len(packets) > 8
    for packet in packets:
        ports = {int.from_bytes(packet[20:22]), int.from_bytes(packet[22:24])}
        assert packet[9] == UDP, packet.hex()
        assert ports <= IKE, ports
        assert MARKER not in packet


def a_wrong_key_is_named_and_the_right_one_taken() -> None:
    both = keys()
    there = World(both)
    ours = {**both, "vpn-1": "another"}
    kept = there.keep(lambda name: ours[name])
    world.until(lambda: kept.states()[1].problem is not None, "the first one fails", UP_S)
    problem = kept.states()[1].problem
    assert problem is not None
    assert problem.what == "203.0.113.10 refused who we are"
    assert "vpn-1" in problem.why
    world.until(lambda: kept.by == 2, "the second one carries", UP_S)
    ours["vpn-1"] = both["vpn-1"]
    world.until(lambda: kept.by == 1, "the first one carries", UP_S)


def what_the_other_side_has_otherwise_is_named_and_mended_by_itself() -> None:
    both = keys()
    there = World(both)
    kept, peer = there.keep(both.__getitem__), CORE.peer
    for other, what in (
        (
            _swapped(" proposals = ", " proposals = aes128-sha1-modp2048 # "),
            f"{peer} takes none of our proposals for IKE (phase 1)",
        ),
        (
            _swapped("esp_proposals = ", "esp_proposals = aes128-sha1 # "),
            f"{peer} takes none of our proposals for ESP (phase 2)",
        ),
        (
            _swapped("local_ts = 10.20.0.0/16", "local_ts = 10.99.0.0/16"),
            f"{peer} expects other networks (traffic selectors)",
        ),
    ):
        there.answer(other)
        kept.lower(1)
        kept.lift(1)
        world.until(_said(kept, what), what, UP_S)
        assert not kept.states()[1].up
    there.answer()
    world.until(both_up(kept), "both tunnels are up", UP_S)


def what_does_not_prove_a_side_is_named_and_mended_by_itself() -> None:
    """Every certificate of it is of the link's authority but one, so who is let in is a matter of identity and time."""
    now = time.time()
    authority, other = link_authority.authority("core", now), link_authority.authority("core", now)
    right = link_authority.vouched(authority, "203.0.113.10", now)
    ours = {1: vouched(authority, 1), 2: vouched(authority, 2)}
    there = World(right)
    kept = there.keep(lambda _: "", lambda number: ours[number])
    world.until(both_up(kept), "both tunnels are up", UP_S)
    assert there.ask() == SEEN_AS
    peer, first = CORE.peer, ours[1]
    stranger = link_authority.vouched(authority, "203.0.113.99", now)
    ended = link_authority.vouched(authority, str(peer), now, -1)
    foreign = replace(link_authority.vouched(other, str(peer), now), authority=authority.certificate)
    refused = f"{peer} refused our certificate, or has no key for its own"
    for theirs_, ours_, what in (  # each says something else than the one before it
        (ended, first, f"{peer} shows a certificate that does not hold now"),
        (right, vouched(authority, 1, -1), "our certificate has ended"),
        (foreign, first, f"{peer} shows a certificate of an authority that we do not trust"),
        (replace(right, authority=other.certificate), first, f"{peer} trusts another authority"),
        (right, stranger, refused),
        (stranger, first, f"{peer} shows a certificate of another identity"),
        (replace(right, key=first.key), first, refused),
        (right, replace(first, key=right.key), "our key does not fit our certificate"),
        (replace(stranger, since=-1.0), first, refused),
    ):
        there.theirs, ours[1] = theirs_, ours_
        # The last one says who it is, and proves it.
        there.answer(str if theirs_.since >= 0 else _swapped(f"id = {peer}\n", "id = 203.0.113.99\n"))
        kept.lower(1)
        kept.lift(1)
        world.until(_said(kept, what), what, UP_S)
        assert not kept.states()[1].up
        assert kept.by == 2
    there.theirs, ours[1] = right, first
    there.answer()
    world.until(both_up(kept), "both tunnels are up", UP_S)
    for key in (first.key, right.key):
        assert not any(key in str(state) for state in kept.states().values())


def certificates_are_renewed_and_nothing_is_lost() -> None:
    now = time.time()
    authority = link_authority.authority("core", now)
    ours = {number: vouched(authority, number) for number in (1, 2)}
    before = dict(ours)
    there = World(link_authority.vouched(authority, "203.0.113.10", now))
    kept = there.keep(lambda _: "", lambda number: ours[number])
    world.until(both_up(kept), "both tunnels are up", UP_S)
    first = {number: state.since for number, state in kept.states().items()}
    answers: list[str | None] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            answers.append(there.ask())

    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    there.theirs = link_authority.vouched(authority, "203.0.113.10", time.time())
    there.answer()
    for number in ours:
        ours[number] = vouched(authority, number)
    world.until(
        lambda: all(state.up and state.since > first[number] for number, state in kept.states().items()),
        "both were raised anew", UP_S,
    )  # fmt: skip
    world.until(lambda: kept.by == 1, "the first one carries", UP_S)
    done.set()
    loading.join()
    assert len(answers) > 10
    assert set(answers) == {SEEN_AS}
    for number, daemon in enumerate(there.daemons, 1):
        assert ours[number].certificate in certificates_of(daemon)
        assert before[number].certificate not in certificates_of(daemon)


def vouched(authority: Proof, number: int, days: float = link_authority.DAYS) -> Proof:
    """For our endpoint of that tunnel."""
    return link_authority.vouched(authority, str(ENDPOINTS[number - 1].address), time.time(), days)


def certificates_of(daemon: Charon) -> list[str]:
    """The certificates that a daemon knows, as PEM."""
    uri = f"unix://{daemon.socket}"
    words = ["swanctl", "--list-certs", "--type", "x509", "--pem", "--uri", uri]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", listed, re.DOTALL)


def every_policy_raises_its_tunnels_and_another_one_is_named() -> None:
    both = keys()
    there = World(both)
    for name, ike, esp in (
        (PolicyName.GCM_384, "AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384", "AES_GCM_16-256"),
        (
            PolicyName.CBC_256,
            "AES_CBC-256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048",
            "AES_CBC-256/HMAC_SHA2_256_128",
        ),
    ):
        agreed = replace(AGREED, policy=POLICIES[name])
        there.answer(agreed=agreed)
        kept = there.keep(both.__getitem__, agreed=agreed)
        world.until(both_up(kept), f"both tunnels are up by {name}", UP_S)
        assert there.ask() == SEEN_AS
        assert there.channels().count(f"\n  {ike}\n") == there.channels().count(f"ESP:{esp}\n") == 2
        for number in (1, 2):
            kept.lower(number)
        kept.end()
    strict = there.keep(both.__getitem__, agreed=replace(AGREED, policy=POLICIES[PolicyName.GCM_384]))
    what = f"{CORE.peer} takes none of our proposals for IKE (phase 1)"
    world.until(_said(strict, what), what, UP_S)


def _said(kept: Kept, what: str) -> Callable[[], bool]:
    def said() -> bool:
        problem = kept.states()[1].problem
        return problem is not None and problem.what == what

    return said


def _swapped(one: str, other: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert one in text
        return text.replace(one, other)

    return change


@pytest.mark.parametrize(
    "scenario",
    [
        the_data_plane_is_what_the_kernel_has,
        a_cut_tunnel_is_left_in_time_and_taken_again,
        nothing_is_lost_by_a_lowered_tunnel,
        the_other_side_answers_by_the_tunnel_that_it_is_asked_by,
        only_ike_crosses_the_wire,
        a_wrong_key_is_named_and_the_right_one_taken,
        what_the_other_side_has_otherwise_is_named_and_mended_by_itself,
        what_does_not_prove_a_side_is_named_and_mended_by_itself,
        certificates_are_renewed_and_nothing_is_lost,
        every_policy_raises_its_tunnels_and_another_one_is_named,
    ],
)
def test_tunnels(scenario: Callable[[], None]) -> None:
    world.run(scenario)
