"""The wire between two machines, with real sockets of the loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from anden.engines.local import wire

KEY = "0f" * 32
WAIT_S = 5.0


def bound(address: str = "127.0.0.1") -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 0))
    return made


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, f"not within {WAIT_S:g} s: {what}"
        time.sleep(0.01)


def test_only_the_other_side_is_believed() -> None:
    ours, theirs = wire.inviting(KEY), wire.joining(KEY)
    datagram = theirs.close(1, 500, b"ike")
    number, *rest = ours.open(datagram) or (0,)
    assert rest == [1, 500, b"ike"]
    assert number > 0
    assert theirs.open(datagram) is None, "our own, sent back"
    assert ours.open(datagram[:-1] + b"x") is None
    assert ours.open(datagram[:10]) is None
    assert ours.open(b"") is None
    assert wire.inviting("1f" * 32).open(datagram) is None


def test_numbers_grow() -> None:
    theirs, ours = wire.joining(KEY), wire.inviting(KEY)
    numbers = [(ours.open(theirs.close(1, 500)) or (0,))[0] for _ in range(3)]
    assert numbers == sorted(set(numbers))


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def carried(ends: ExitStack, it: wire.Wire) -> wire.Wire:
    thread = threading.Thread(target=it.carry, daemon=True)
    thread.start()
    ends.callback(thread.join, WAIT_S)
    ends.callback(it.end)
    return it


def test_what_goes_in_on_one_side_comes_out_on_the_other(ends: ExitStack) -> None:
    """Two wires, each with a door, and somebody before each door who stands for strongSwan."""
    outer, dialled, swan, theirs = (ends.enter_context(bound()) for _ in range(4))
    door, far_door = ends.enter_context(bound("127.0.0.2")), ends.enter_context(bound("127.0.0.3"))
    end, here = time.time() + 60, "127.0.0.1"
    # Real ports of IKE need root: a door's port is where both ends of it are.
    left = wire.Wire(outer, wire.inviting(KEY), [wire.Door(door, swan.getsockname()[1], {here: 1}, {1: here})], end)
    right = wire.Wire(
        dialled, wire.joining(KEY), [wire.Door(far_door, swan.getsockname()[1], {here: 1}, {1: here})], end,
        outer.getsockname(),
    )  # fmt: skip
    carried(ends, left)
    carried(ends, right)
    until(lambda: left.heard.there(time.time()) and right.heard.there(time.time()), "they hear each other")
    theirs.sendto(b"from the core", far_door.getsockname())
    swan.settimeout(WAIT_S)
    assert swan.recvfrom(100) == (b"from the core", door.getsockname())
    until(lambda: left.heard.into == len(b"from the core"), "it is counted")
    assert left.heard.peer == "{}:{}".format(*dialled.getsockname())


def test_a_stranger_moves_nothing(ends: ExitStack) -> None:
    outer, stranger, swan = (ends.enter_context(bound()) for _ in range(3))
    door = ends.enter_context(bound("127.0.0.2"))
    doors = [wire.Door(door, swan.getsockname()[1], {"127.0.0.1": 1}, {1: "127.0.0.1"})]
    it = carried(ends, wire.Wire(outer, wire.inviting(KEY), doors, time.time() + 60))
    theirs = wire.joining(KEY)
    old, new = theirs.close(wire.HELLO, 0), theirs.close(wire.HELLO, 0)
    for datagram in (b"x" * 40, wire.joining("1f" * 32).close(1, 500, b"no"), new, old):
        stranger.sendto(datagram, outer.getsockname())
        if datagram is new:
            stranger.settimeout(WAIT_S)
            assert theirs.open(stranger.recv(100)) is not None
    replayed = ends.enter_context(bound())
    replayed.sendto(old, outer.getsockname())
    # What comes after it has been looked at: then it has too.
    stranger.sendto(theirs.close(wire.HELLO, 0), outer.getsockname())
    assert theirs.open(stranger.recv(100)) is not None
    assert it.heard.peer == "{}:{}".format(*stranger.getsockname())
    swan.settimeout(0.1)
    with pytest.raises(TimeoutError):
        swan.recv(100)


def test_it_ends_by_its_time(ends: ExitStack) -> None:
    outer = ends.enter_context(bound())
    told: list[wire.Heard] = []
    wire.Wire(outer, wire.inviting(KEY), [], time.time() + 0.3).carry(told.append)
    assert told
    assert not told[-1].peer
