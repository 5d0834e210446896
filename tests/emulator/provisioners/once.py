"""RunTask asked twice with one client token, as an SDK does when the answer was lost: one task, and the same answer
(ECS API, "RunTask", clientToken). The emulator forgets the token and starts another."""

import threading
from typing import Any

TOKEN = "clientToken"


def install(ecs: Any) -> None:
    """Put it in front of the emulator's own."""
    theirs = ecs._ACTION_MAP["RunTask"]
    answers: dict[str, Any] = {}
    alone = threading.Lock()

    def once(data: dict[str, Any]) -> Any:
        token = data.get(TOKEN)
        if not token:
            return theirs(data)
        with alone:
            if token not in answers:
                answers[token] = theirs(data)
            return answers[token]

    ecs._ACTION_MAP["RunTask"] = once
