"""A command in a session that carries neither its exit code nor where its output begins: the line that is sent, and
what comes back, between two marks. Pure.

    Starting session with SessionId: …        the plugin's own words
    MARK
    what the command wrote
    MARK 3                                    its exit code; then it waits for a key, so that nothing is lost
"""

import re
import shlex
from collections.abc import Sequence

SCRIPT = (
    'a=$1 b=$2; shift 2; printf "%s%s\\n" "$a" "$b"; "$@" </dev/null; printf "\\n%s%s %d\\n" "$a" "$b" "$?"; read -r _'
)
"""For `/bin/sh -c`. The mark comes in halves, so that it stands nowhere in the line itself, which `ps` shows."""
KEY_AT_END, INTERRUPT = b"\n", b"\x03"
"""What ends the script after its end; what the terminal makes an interrupt of."""
LEAST_MARK = 16
"""Characters of a mark that no output has by chance."""
MOST_OUTPUT = 1 << 20
"""Bytes of output that are kept, as of the twin."""
MOST_BEFORE = 4096
"""Bytes that are kept of what comes before the command's output: the plugin's words, or why there is no output."""
_HELD = 64
"""Bytes that may be the beginning of a mark with its exit code, beside the mark itself."""


def line(argv: Sequence[str], mark: str) -> str:
    """What is to be run in the container, by the rules of a shell's words: ECS splits it so."""
    half = len(mark) // 2
    return shlex.join(["/bin/sh", "-c", SCRIPT, "anden", mark[:half], mark[half:], *argv])


class Transcript:
    """What comes back, piece by piece. code: None until the command has ended; cut: more came than is kept."""

    def __init__(self, mark: str, most: int = MOST_OUTPUT) -> None:
        if len(mark) < LEAST_MARK or not mark.isalnum():
            raise ValueError(f"a mark has at least {LEAST_MARK} letters and digits, and nothing else")
        word = re.escape(mark).encode()
        self._begin, self._end = re.compile(word + rb"\r*\n"), re.compile(rb"\r*\n" + word + rb" (\d{1,3})\r*\n")
        self._held, self._most = len(mark) + _HELD, most
        self._pending, self._before, self._kept = b"", b"", bytearray()
        self.began, self.cut, self._closed = False, False, False
        self.code: int | None = None

    def add(self, data: bytes) -> None:
        """More of it; what comes after the end is not the command's."""
        if self.code is not None or self._closed:
            return
        self._pending += data
        if not self.began:
            self._look_for_its_beginning()
        if self.began:
            self._look_for_its_end()

    def close(self) -> None:
        """What comes from now on is that of its being ended."""
        self._closed = True

    def text(self) -> str:
        """What the command wrote, both streams in one, with a terminal's line ends made plain."""
        rest = b"" if self.code is not None or not self.began else self._pending
        return _plain(bytes(self._kept) + rest[: max(self._most - len(self._kept), 0)])

    def before(self) -> str:
        """The end of what was said before the command's output."""
        return _plain(self._before + (b"" if self.began else self._pending))

    def _look_for_its_beginning(self) -> None:
        if (found := self._begin.search(self._pending)) is not None:
            self._before = (self._before + self._pending[: found.start()])[-MOST_BEFORE:]
            self._pending, self.began = self._pending[found.end() :], True
            return
        sure = max(len(self._pending) - self._held, 0)
        self._before = (self._before + self._pending[:sure])[-MOST_BEFORE:]
        self._pending = self._pending[sure:]

    def _look_for_its_end(self) -> None:
        if (found := self._end.search(self._pending)) is not None:
            self._keep(self._pending[: found.start()])
            self._pending, self.code = b"", int(found[1])
            return
        sure = max(len(self._pending) - self._held, 0)
        self._keep(self._pending[:sure])
        self._pending = self._pending[sure:]

    def _keep(self, data: bytes) -> None:
        room = self._most - len(self._kept)
        self._kept += data[:room]
        self.cut = self.cut or len(data) > room


def _plain(data: bytes) -> str:
    return re.sub("\r+\n", "\n", data.decode(errors="replace"))
