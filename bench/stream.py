"""One stream of bytes, as a program: `python -m bench.stream sink HOST PORT` takes it and prints bytes a second,
`python -m bench.stream source HOST PORT SECONDS` gives as much as goes through.

The sink says a word first, for it may share its place with somebody who says nothing: whoever hears none tries again.
"""

import socket
import sys
import time

WORD = b"sink"
BLOCK = bytes(1 << 18)
HEAR_S, TRIES = 0.3, 60
STALL_S = 10.0


def sink(host: str, port: int) -> float:
    """Bytes a second of the first stream that comes, from its first byte to its last."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    listening.listen()
    print("ready", flush=True)
    taken, _ = listening.accept()
    taken.settimeout(STALL_S)
    taken.sendall(WORD)
    into = bytearray(len(BLOCK))
    size = taken.recv_into(into)
    began = last = time.monotonic()
    while got := taken.recv_into(into):
        size += got
        last = time.monotonic()
    return size / (last - began)


def source(host: str, port: int, seconds: float) -> None:
    """Give for so long. Raises OSError: nobody takes it."""
    for _ in range(TRIES):
        with socket.create_connection((host, port), STALL_S) as out:
            out.settimeout(HEAR_S)
            try:
                heard = out.recv(len(WORD))
            except TimeoutError:
                continue
            if heard != WORD:
                continue
            out.settimeout(STALL_S)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                out.sendall(BLOCK)
            return
    raise OSError(f"no sink at {host}:{port}")


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        print(sink(sys.argv[2], int(sys.argv[3])), flush=True)
    else:
        source(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
