"""Where the gateway's listener with TLS goes."""

import socket
from itertools import islice

import pytest

from anden.engines.local import tls
from anden.model.problem import Problems


@pytest.mark.parametrize(("plain", "first"), [(80, 443), (8080, 8443), (8081, 8444), (65535, 65172)])
def test_it_has_a_place_beside_the_plain_one(plain: int, first: int) -> None:
    assert list(islice(tls.ports(plain), 2)) == [first, first + 1]


def test_never_the_plain_one_and_never_past_the_last() -> None:
    for plain in range(65000, 65536):
        tried = list(tls.ports(plain))
        assert tried
        assert plain not in tried
        assert max(tried) <= 65535


def test_the_next_free_one_beside_somebody_else() -> None:
    with tls.listening("127.0.0.1:18080") as first, tls.listening("127.0.0.1:18080") as second:
        one, other = first.getsockname(), second.getsockname()
        assert one[0] == other[0] == "127.0.0.1"
        assert one[1] < other[1]
        with socket.create_connection(other, timeout=5):
            pass


def test_an_address_that_is_not_ours_is_said() -> None:
    with pytest.raises(Problems, match=r"no port from 192\.0\.2\.1:8443 on is free for TLS"):
        tls.listening("192.0.2.1:8080")
