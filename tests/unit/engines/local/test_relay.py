"""The relay to AWS's endpoints, with real sockets of the loopback."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from anden.engines.local.join.relay import Passage, Relay, opened

WAIT_S = 5.0
QUIET_S = 0.1


def bound(address: str = "127.0.0.1", port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.settimeout(WAIT_S)
    return made


@dataclass
class Ends:
    """Two endpoints of AWS's, and a strongSwan that speaks to each by a socket of its own; one socket goes out."""

    swans: list[socket.socket]
    inside: list[socket.socket]
    outer: socket.socket
    endpoints: list[socket.socket]
    relay: Relay

    def out(self) -> tuple[str, int]:
        """Where the endpoints see it."""
        return "127.0.0.1", self.outer.getsockname()[1]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with ExitStack() as stack:
        swans, inside, endpoints = (
            [stack.enter_context(bound(f"127.0.{net}.{at}")) for at in (1, 2)] for net in (1, 2, 3)
        )
        outer = stack.enter_context(opened(0))
        passages = [
            Passage(door, swan.getsockname(), outer, endpoint.getsockname())
            for door, swan, endpoint in zip(inside, swans, endpoints, strict=True)
        ]
        relay = Relay(passages, time.time() + 60)
        carrying = threading.Thread(target=relay.carry, daemon=True)
        carrying.start()
        stack.callback(carrying.join, WAIT_S)
        stack.callback(relay.end)
        yield Ends(swans, inside, outer, endpoints, relay)


def silent(one: socket.socket) -> bool:
    one.settimeout(QUIET_S)
    try:
        one.recv(100)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("payload", [b"", b"\x00\x00\x00\x00ike", b"\xff", bytes(range(256)) * 6])
def test_a_payload_goes_to_its_endpoint_and_back_as_it_was(ends: Ends, at: int, payload: bytes) -> None:
    ends.swans[at].sendto(payload, ends.inside[at].getsockname())
    assert ends.endpoints[at].recvfrom(65_535) == (payload, ends.out())
    ends.endpoints[at].sendto(payload, ends.out())
    assert ends.swans[at].recvfrom(65_535) == (payload, ends.inside[at].getsockname())
    assert silent(ends.swans[1 - at])
    assert silent(ends.endpoints[1 - at])
    heard = ends.relay.heard
    assert (heard.into, heard.out) == (len(payload), len(payload))
    assert heard.peer == "{}:{}".format(*ends.endpoints[at].getsockname())
    assert heard.there(time.time())
    assert heard.word == ""


def test_nobody_else_is_let_in_from_outside_and_nobody_is_answered(ends: Ends) -> None:
    address, _ = ends.endpoints[0].getsockname()
    with closing(bound()) as stranger, closing(bound(address)) as another_port:
        for one in (stranger, another_port):
            one.sendto(b"let me in", ends.out())
        ends.endpoints[0].sendto(b"after it", ends.out())  # what was before it has been looked at when it is there
        assert ends.swans[0].recv(100) == b"after it"
        assert silent(ends.swans[0])
        assert silent(ends.swans[1])
        assert silent(stranger)
        assert silent(another_port)
    assert ends.relay.heard.into == len(b"after it")


def test_nobody_else_is_let_out_from_inside(ends: Ends) -> None:
    with closing(bound("127.0.1.9")) as stranger:
        stranger.sendto(b"let me out", ends.inside[0].getsockname())
        ends.swans[1].sendto(b"the other one's", ends.inside[0].getsockname())
        ends.swans[0].sendto(b"after it", ends.inside[0].getsockname())
        assert ends.endpoints[0].recv(100) == b"after it"
        assert silent(ends.endpoints[0])
        assert silent(ends.endpoints[1])


def test_an_endpoint_that_says_no_ends_nothing(ends: Ends) -> None:
    ends.endpoints[0].close()
    for _ in range(3):
        ends.swans[0].sendto(b"anybody?", ends.inside[0].getsockname())
    ends.swans[1].sendto(b"and you?", ends.inside[1].getsockname())
    assert ends.endpoints[1].recv(100) == b"and you?"


def test_its_port_is_the_one_that_is_asked_for_unless_somebody_has_it() -> None:
    with closing(opened(0)) as first:
        port = first.getsockname()[1]
        with closing(opened(port)) as second:
            assert second.getsockname()[1] not in {0, port}
    with closing(opened(port)) as again:
        assert again.getsockname()[1] == port


def test_it_ends_by_its_time() -> None:
    with closing(bound()) as inside, closing(bound()) as outer:
        relay = Relay([Passage(inside, ("127.0.0.1", 9), outer, ("127.0.0.1", 9))], time.time() + 0.1)
        relay.carry()
    assert relay.heard.peer == ""
    assert not relay.heard.there(time.time())
