"""Speaking to what runs, as a client of the gateway or an instance does: really on the local engine, and by its model
on the simulated one. The Engine port has no such verbs: nobody but tests asks for them."""

import http.client
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Protocol

from anden.engines.simulated import SimulatedEngine
from anden.model.ids import EnvironmentKey

if TYPE_CHECKING:
    from anden.engines.local.engine import LocalEngine

PATIENCE_S = 15.0
PROCESSES = 2
"""The balancer's."""
CUT = 502
"""What becomes of a request whose instance is ended."""
HEADER = "X-Long"
ASK = """
import socket, struct, sys
server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
name = b"".join(bytes([len(label)]) + label.encode() for label in sys.argv[1].split(".")) + b"\\0"
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(3)
asking.sendto(struct.pack("!HHHHHH", 7, 256, 1, 0, 0, 0) + name + struct.pack("!HH", 1, 1), (server, 53))
packet = asking.recv(4096)
at = 12 + len(name) + 4
for _ in range(struct.unpack("!H", packet[6:8])[0]):
    ttl, length = struct.unpack("!IH", packet[at + 6 : at + 12])
    print(ttl, socket.inet_ntoa(packet[at + 12 : at + 16]))
    at += 12 + length
"""
"""What an instance runs to ask the resolver: each answer's TTL and address. Names in answers are pointers."""

Statuses = Callable[[], list[int]]


class Talk(Protocol):
    """What both engines can be asked."""

    def get(self, key: EnvironmentKey, gateway: str, header_bytes: int = 0, takes_s: float = 0.0) -> int:
        """The status for a GET of `/` (or of one that takes an instance so long), with a header line so long."""

    def lingers(self, key: EnvironmentKey, gateway: str, silent_s: float) -> bool:
        """Whether a connection on which a request was answered takes another one after so much silence."""

    def resolve(self, key: EnvironmentKey, caller: str, name: str) -> tuple[tuple[IPv4Address, ...], int]:
        """What the resolver answers an instance: addresses in their order, and the TTL in seconds."""

    def hold(self, key: EnvironmentKey, gateway: str, instances: tuple[str, ...], takes_s: float) -> Statuses:
        """Begin requests that take so long, at least one for each of the instances, which are all of a service's; what
        they came to, when asked."""


class SimulatedTalk:
    """By the engine's model."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine

    def get(self, key: EnvironmentKey, gateway: str, header_bytes: int = 0, takes_s: float = 0.0) -> int:
        """See Talk."""
        return self._engine.ask(key, "/", header_bytes, takes_s)

    def lingers(self, key: EnvironmentKey, gateway: str, silent_s: float) -> bool:
        """See Talk."""
        return self._engine.lingers(key, silent_s)

    def resolve(self, key: EnvironmentKey, caller: str, name: str) -> tuple[tuple[IPv4Address, ...], int]:
        """See Talk."""
        return self._engine.resolve(key, name)

    def hold(self, key: EnvironmentKey, gateway: str, instances: tuple[str, ...], takes_s: float) -> Statuses:
        """See Talk. One whose instance is gone before its time was cut."""
        until = self._engine.observe(key).at + takes_s
        for name in instances:
            self._engine.occupy(key, name, takes_s)

        def statuses() -> list[int]:
            seen = self._engine.observe(key)
            early = seen.at < until
            return [CUT if early and seen.instance(name) is None else 200 for name in instances]

        return statuses


class LocalTalk:
    """Really."""

    def __init__(self, engine: "LocalEngine") -> None:
        self._engine = engine

    def get(self, key: EnvironmentKey, gateway: str, header_bytes: int = 0, takes_s: float = 0.0) -> int:
        """See Talk."""
        host, _, port = gateway.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        try:
            headers = {HEADER: "x" * (header_bytes - len(HEADER) - 2)} if header_bytes else {}
            connection.request("GET", f"/slow/{takes_s:g}" if takes_s else "/", headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def lingers(self, key: EnvironmentKey, gateway: str, silent_s: float) -> bool:
        """See Talk."""
        host, _, port = gateway.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            assert _asked(connection)
            time.sleep(silent_s)
            return _asked(connection)

    def resolve(self, key: EnvironmentKey, caller: str, name: str) -> tuple[tuple[IPv4Address, ...], int]:
        """See Talk."""
        done = self._engine.exec(key, caller, ["python3", "-c", ASK, name], b"", PATIENCE_S)
        assert done.code == 0, done.stderr
        lines = [line.split() for line in done.stdout.splitlines()]
        (ttl,) = {int(ttl) for ttl, _ in lines}
        return tuple(IPv4Address(address) for _, address in lines), ttl

    def hold(self, key: EnvironmentKey, gateway: str, instances: tuple[str, ...], takes_s: float) -> Statuses:
        """See Talk. Each of the balancer's processes sends to the instance that has the least to do from it."""
        count = PROCESSES * (len(instances) - 1) + 1
        pool = ThreadPoolExecutor(count, thread_name_prefix="held")
        begun = []
        for _ in range(count):
            begun.append(pool.submit(self.get, key, gateway, 0, takes_s))
            time.sleep(0.1)
        pool.shutdown(wait=False)
        return lambda: [each.result() for each in begun]


def _asked(connection: socket.socket) -> bool:
    """Whether a request on this connection is answered."""
    try:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: contract\r\n\r\n")
        answer = b""
        while b"ok\n" not in answer:
            chunk = connection.recv(4096)
            if not chunk:
                return False
            answer += chunk
    except (ConnectionError, TimeoutError):
        return False
    return answer.startswith(b"HTTP/1.1 200")
