"""One response, however its bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.load.answer import MOST_HEAD_BYTES, Answer, Malformed

WHOLE = {
    "a length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, True),
    "no body": (b"HTTP/1.1 503 No\r\ncontent-length:0\r\nConnection: close\r\n\r\n", 503, False),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        200,
        True,
    ),
    "trailers": (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 200, True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
    "an interim one": (b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, True),
    "the old kind": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, False),
}


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(1, 7), min_size=1, max_size=200))
def test_it_ends_at_its_end_and_not_before(name: str, cuts: list[int]) -> None:
    data, status, keeps = WHOLE[name]
    answer, at = Answer(), 0
    for cut in [*cuts, len(data)]:
        part = data[at : at + cut]
        at += len(part)
        if part:
            assert answer.feed(part) is (at == len(data))
    assert (answer.status, answer.keeps, answer.whole) == (status, keeps, True)


def test_one_without_a_length_ends_with_its_connection() -> None:
    answer = Answer()
    assert not answer.feed(b"HTTP/1.1 200 OK\r\n\r\nhel")
    assert not answer.feed(b"lo")
    assert answer.closed()
    assert not answer.keeps


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"])
def test_one_that_is_cut_off_is_none(part: bytes) -> None:
    answer = Answer()
    answer.feed(part)
    assert not answer.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy",
        b"HTTP/1.1 204 OK\r\n\r\nxy",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"x" * (MOST_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_answer_is_said(data: bytes) -> None:
    with pytest.raises(Malformed):
        Answer().feed(data)


def test_nothing_comes_after_an_answer() -> None:
    answer = Answer()
    assert answer.feed(WHOLE["a length"][0])
    with pytest.raises(Malformed):
        answer.feed(b"x")
