"""One line a step on stderr, and what a quiet tool said when it failed."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

HEARTBEAT_S = 15.0
"""Work that takes longer says that it goes on."""
TAIL_LINES = 20


class Failed(SystemExit):
    """Ends the bootstrap with exit code 1; what went wrong was said."""

    def __init__(self) -> None:
        super().__init__(1)


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"anden: {text}\n")
    sys.stderr.flush()


def run(argv: Sequence[str], doing: str, env: Mapping[str, str] | None = None) -> None:
    """Run a tool quietly to its end, saying what it does and how long it took. Raises Failed with its last words."""
    say(f"{doing} …")
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            # S603: words of our own. It stays in our process group: Ctrl-C reaches it too.
            started = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)
        except OSError as error:
            say(f"{argv[0]} cannot be run: {error}")
            raise Failed from error
        while True:
            try:
                code = started.wait(HEARTBEAT_S)
                break
            except subprocess.TimeoutExpired:
                say(f"{doing}: still at it after {time.monotonic() - began:.0f} s")
            except BaseException:
                started.terminate()
                started.wait()
                raise
        if code != 0:
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
            sys.stderr.write("".join(f"    {line}\n" for line in lines))
            say(f"{doing} failed (exit code {code}); the lines above say why. The command: {' '.join(argv)}")
            raise Failed
    say(f"{doing}: {time.monotonic() - began:.1f} s")
