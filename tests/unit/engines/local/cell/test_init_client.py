"""The supervisor's conversation with init, with a socket of the test's in init's place."""

import socket
import threading
from pathlib import Path

import pytest

from anden.engines.local.cell import init_client, protocol
from anden.engines.local.cell.init_client import InitClient


def test_a_late_answer_is_not_taken_for_the_next_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_client, "ANSWER_S", 0.2)
    place, late = tmp_path / "init.sock", threading.Event()

    def answer(connection: socket.socket, wait: threading.Event | None) -> None:
        with connection:
            while (received := protocol.receive(connection)) is not None:
                if wait is not None:
                    wait.wait(5.0)
                with connection if wait is not None else connection.dup():
                    try:
                        protocol.send(connection, {"children": {"1" if wait else "2": received[0]["op"]}})
                    except OSError:  # nobody waits for it any more
                        return

    def serve(listening: socket.socket) -> None:
        for wait in (late, None):
            connection, _ = listening.accept()
            threading.Thread(target=answer, args=(connection, wait), daemon=True).start()

    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(place))
        listening.listen(4)
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        client = InitClient(place)
        with pytest.raises(TimeoutError):
            client.running()
        late.set()
        assert client.running() == {"children": 2}
