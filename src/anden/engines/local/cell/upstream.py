"""Asking the internet's name server: by UDP, by TCP where an answer is cut, and again along a chain of aliases."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from anden.engines.local.cell import dns_wire
from anden.engines.local.cell.names import MOST_ADDRESSES

TRY_S = 1.0
"""How long one question waits for its answer."""
TRIES = 2
PAUSE_S = 0.1
"""Between two of them: a name server that is being started refuses at once."""
MOST_ALIASES = 8
"""Questions along a chain of aliases that one answer does not hold as a whole."""


class NoSuchName(Exception):  # noqa: N818 - an answer, and no error
    """The name does not exist."""


class Unanswered(Exception):  # noqa: N818 - it says what was, not what went wrong here
    """Nothing that can be used came in time."""


class Found(NamedTuple):
    """addresses: at most MOST_ADDRESSES; none: the name exists and has no IPv4 address. ttl: seconds, the shortest of
    all the records on the way."""

    addresses: tuple[IPv4Address, ...]
    ttl: int


async def resolve(host: str, server: tuple[str, int]) -> Found:
    """The addresses that `server` gives for `host`. Raises NoSuchName, Unanswered."""
    name, ttl = dns.name.from_text(host), None
    for _ in range(MOST_ALIASES):
        query = dns.message.make_query(name, dns.rdatatype.A, use_edns=0, payload=dns_wire.LARGEST_UDP)
        response = await _asked(query, server)
        code = response.rcode()
        if code == dns.rcode.NXDOMAIN:
            raise NoSuchName(host)
        if code != dns.rcode.NOERROR:
            raise Unanswered(f"{dns.rcode.to_text(code)} for {host}")
        try:
            chain = response.resolve_chaining()
        except dns.exception.DNSException as error:
            raise Unanswered(f"{host}: {error}") from error
        if chain.answer is not None or chain.cnames:
            ttl = chain.minimum_ttl if ttl is None else min(ttl, chain.minimum_ttl)
        if chain.answer is not None:
            found = tuple(dict.fromkeys(IPv4Address(one.address) for one in chain.answer))
            return Found(found[:MOST_ADDRESSES], ttl or 0)
        if not chain.cnames:
            return Found((), 0)
        name = chain.canonical_name
    raise Unanswered(f"{host}: more than {MOST_ALIASES} aliases")


async def _asked(query: dns.message.QueryMessage, server: tuple[str, int]) -> dns.message.QueryMessage:
    wire = query.to_wire()
    why = "no answer"
    for _ in range(TRIES):
        try:
            async with asyncio.timeout(TRY_S):
                response = await _by_udp(query, wire, server)
                if response.flags & dns.flags.TC:
                    response = await _by_tcp(query, wire, server)
                return response
        except (TimeoutError, OSError, asyncio.IncompleteReadError, dns.exception.DNSException) as error:
            why = str(error) or why
            await asyncio.sleep(PAUSE_S)
    raise Unanswered(why)


class _Heard(asyncio.DatagramProtocol):
    """The first packet that answers the question; others are passed over."""

    def __init__(self, query: dns.message.QueryMessage) -> None:
        self._query = query
        self.answer: asyncio.Future[dns.message.QueryMessage] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        with suppress(Exception):  # whatever a stranger's packet makes of the parser
            response = _read(self._query, data)
            if not self.answer.done():
                self.answer.set_result(response)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _by_udp(query: dns.message.QueryMessage, wire: bytes, server: tuple[str, int]) -> dns.message.QueryMessage:
    made: Callable[[], _Heard] = lambda: _Heard(query)  # noqa: E731 - it is given away at once
    transport, heard = await asyncio.get_running_loop().create_datagram_endpoint(made, remote_addr=server)
    try:
        transport.sendto(wire)
        return await heard.answer
    finally:
        transport.close()
        heard.answer.cancel()


async def _by_tcp(query: dns.message.QueryMessage, wire: bytes, server: tuple[str, int]) -> dns.message.QueryMessage:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(wire).to_bytes(2) + wire)
        length = int.from_bytes(await reader.readexactly(2))
        return _read(query, await reader.readexactly(length))
    finally:
        writer.close()


def _read(query: dns.message.QueryMessage, wire: bytes) -> dns.message.QueryMessage:
    """Raises DNSException when it is no answer to that question."""
    response = dns.message.from_wire(wire)
    if not isinstance(response, dns.message.QueryMessage) or not query.is_response(response):
        raise dns.exception.FormError
    return response
