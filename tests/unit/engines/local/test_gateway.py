import os
import socket
from collections.abc import Iterator

import pytest

from anden.engines.local.gateway import DEFAULT, claim, holder
from anden.model.problem import Problems


@pytest.fixture
def stranger() -> Iterator[str]:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        opened.listen(1)
        yield f"127.0.0.1:{opened.getsockname()[1]}"


def test_what_runs_keeps_its_place(stranger: str) -> None:
    assert claim(None, {}, stranger) == stranger
    assert claim(stranger, {}, stranger) == stranger


def test_a_stranger_is_named(stranger: str) -> None:
    with pytest.raises(Problems, match=rf"it is taken; process {os.getpid()} \("):
        claim(stranger, {}, None)
    assert holder(int(stranger.rpartition(":")[2]))[0] == os.getpid()


def test_the_next_one_beside_another_environment() -> None:
    host, _, port = DEFAULT.rpartition(":")
    taken = {f"{host}:{int(port) + number}": "banco-andino/production" for number in range(3)}
    found = claim(None, taken, None)
    assert found not in taken
    assert int(found.rpartition(":")[2]) >= int(port) + 3


def test_one_that_was_asked_for_is_not_replaced() -> None:
    with pytest.raises(Problems, match="banco-andino/production has it"):
        claim("127.0.0.1:18080", {"127.0.0.1:18080": "banco-andino/production"}, None)


@pytest.mark.parametrize("address", ["8080", "localhost:8080", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", ""])
def test_addresses_that_are_none(address: str) -> None:
    if address:
        with pytest.raises(Problems, match="not an address to listen on"):
            claim(address, {}, None)


def test_an_address_that_this_machine_does_not_have() -> None:
    with pytest.raises(Problems, match="nobody can listen there"):
        claim("192.0.2.1:8080", {}, None)
