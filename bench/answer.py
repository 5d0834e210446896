"""The first healthy answer of something that is about to start."""

import socket
import time

PERIOD_S = 0.002
"""Between two tries; also what a measured start may be wrong by."""
TRY_S = 1.0
LIMIT_S = 30.0
HEALTHY = (b"HTTP/1.0 200", b"HTTP/1.1 200")


def first(host: str, port: int, path: str, limit_s: float = LIMIT_S) -> float:
    """Ask until the answer is 200; the monotonic time then. Raises TimeoutError after limit_s."""
    deadline = time.monotonic() + limit_s
    request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host, port), timeout=TRY_S) as asking:
                asking.sendall(request)
                if asking.recv(4096).startswith(HEALTHY):
                    return time.monotonic()
        except OSError:
            pass
        time.sleep(PERIOD_S)
    raise TimeoutError(f"no healthy answer of {path} within {limit_s:g} s")
