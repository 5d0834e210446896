"""A DNS server's sockets: UDP and TCP on one address, a bounded number of connections, and nothing that a packet can
say ends it."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from anden.engines.local.cell import dns_wire
from anden.engines.local.cell.dns_wire import Asked, Unanswerable

CONNECTIONS = 64
"""By TCP at the same time; another one is closed at once."""
IDLE_S = 5.0
"""How long a connection may say nothing."""
BACKLOG = 128
MOST_AT_WORK = 256
"""Questions that wait for somebody else's answer at the same time; another one is answered that it failed."""
PACKET_BYTES = 4096
BURST = 64
"""Packets that are read before others have their turn."""
BUFFER_BYTES = 1 << 20

Answer = Callable[[Asked, str, bool], bytes | Awaitable[bytes]]
"""Of a question, its source's address, and whether it came by TCP: the packet, or somebody who will have it."""
Quick = Callable[[bytes], bytes | None]
"""Of a packet without its id: the answer without its id, where it is known already."""


def sockets(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """The UDP socket and the listening TCP socket, in this thread's network. Raises OSError."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    datagrams.bind((address, port))
    datagrams.setblocking(False)
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind((address, port))
    stream.listen(BACKLOG)
    stream.setblocking(False)
    return datagrams, stream


class Server:
    """Answers what comes over these sockets."""

    def __init__(self, datagrams: socket.socket, stream: socket.socket, answer: Answer, quick: Quick) -> None:
        self._datagrams = datagrams
        self._stream = stream
        self._answer = answer
        self._quick = quick
        self._at_work: set[asyncio.Task[None]] = set()
        self._connections = 0

    async def run(self) -> None:
        """For good."""
        asyncio.get_running_loop().add_reader(self._datagrams.fileno(), self._read)
        server = await asyncio.start_server(self._serve, sock=self._stream)
        async with server:
            await server.serve_forever()

    def _read(self) -> None:
        for _ in range(BURST):
            try:
                packet, source = self._datagrams.recvfrom(PACKET_BYTES)
            except OSError:  # none is left; or an earlier answer met nobody
                return
            known = self._quick(packet[2:]) if len(packet) > dns_wire.HEADER.size else None
            if known is not None:
                self._send(packet[:2] + known, source)
                continue
            with suppress(Unanswerable):
                self._answered(dns_wire.asked(packet), source)

    def _answered(self, asked: Asked, source: tuple[str, int]) -> None:
        if asked.code != dns_wire.FINE:
            self._send(dns_wire.answer(asked, asked.code), source)
            return
        answer = self._answer(asked, source[0], False)
        if isinstance(answer, bytes):
            self._send(answer, source)
        elif len(self._at_work) >= MOST_AT_WORK:
            asyncio.ensure_future(answer).cancel()
            self._send(dns_wire.answer(asked, dns_wire.FAILED), source)
        else:
            task = asyncio.ensure_future(self._later(answer, source))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def _later(self, answer: Awaitable[bytes], source: tuple[str, int]) -> None:
        self._send(await answer, source)

    def _send(self, packet: bytes, source: tuple[str, int]) -> None:
        with suppress(OSError):  # its asker asks again
            self._datagrams.sendto(packet, source)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            source = writer.get_extra_info("peername")[0]
            while packet := await self._packet(reader):
                asked = dns_wire.asked(packet)
                if asked.code != dns_wire.FINE:
                    said = dns_wire.answer(asked, asked.code, tcp=True)
                else:
                    answer = self._answer(asked, source, True)
                    said = answer if isinstance(answer, bytes) else await answer
                writer.write(struct.pack("!H", len(said)) + said)
                await asyncio.wait_for(writer.drain(), IDLE_S)
        except (OSError, TimeoutError, Unanswerable, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections -= 1
            writer.close()

    async def _packet(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(IDLE_S):
            length = int.from_bytes(await reader.readexactly(2))
            return await reader.readexactly(length)
