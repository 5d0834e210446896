import fcntl
import os
import socket

import pytest

from anden.engines.local.cell import protocol


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def test_descriptors_travel_beside_a_message() -> None:
    here, there = pair()
    reading, writing = os.pipe()
    with here, there:
        protocol.send(here, {"op": "keep", "name": "x"}, [writing])
        os.close(writing)
        received = protocol.receive(there)
        assert received is not None
        message, fds = received
        assert message == {"op": "keep", "name": "x"}
        assert not os.get_inheritable(fds[0])
        os.write(fds[0], b"hello")
        assert os.read(reading, 5) == b"hello"
        protocol.close([*fds, reading])


def test_the_end_is_none_and_nonsense_is_an_error() -> None:
    here, there = pair()
    with there:
        with here:
            here.send(b"not json")
            with pytest.raises(ValueError, match="Expecting"):
                protocol.receive(there)
        assert protocol.receive(there) is None


def test_what_is_too_long_is_refused_before_it_is_sent() -> None:
    here, there = pair()
    with here, there, pytest.raises(OSError, match="too large"):
        protocol.send(here, {"op": "x" * protocol.PACKET_BYTES})


def test_readable_knows_high_descriptors() -> None:
    reading, writing = os.pipe()
    high = fcntl.fcntl(reading, fcntl.F_DUPFD_CLOEXEC, 1500)  # select(2) ends at 1023
    assert not protocol.readable(high, 0)
    os.write(writing, b"x")
    assert protocol.readable(high, 1.0)
    protocol.close([reading, writing, high])
