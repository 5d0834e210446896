"""Says that an answer is being waited for, and for how long, when it takes more than a moment."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from anden.cli import terminal

SILENT_S, QUIET_S = 1.0, 5.0
"""Until the first word: on a terminal, and where lines stay."""
TICK_S, STAY_S = 1.0, 15.0
"""Between two words: on a terminal, and where lines stay."""
JOIN_S = 2.0


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """While its body runs, `what … 12 s` passes by on stderr. what: `trying 12 paths`."""
    said = terminal.progress()
    seen = said.stream.isatty()
    ended, began = threading.Event(), time.monotonic()

    def tell() -> None:
        pause = SILENT_S if seen else QUIET_S
        while not ended.wait(pause):
            said.pass_by(f"… {what}: {time.monotonic() - began:.0f} s")
            pause = TICK_S if seen else STAY_S

    teller = threading.Thread(target=tell, name="anden-waiting", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join(JOIN_S)
        said.end()
