"""Colours, when there is somebody to see them."""

import re
from dataclasses import dataclass

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
"""The only escapes that anden writes: colours."""

_SIGNS = {"✓": "32", "✗": "31", "+": "32", "~": "33", "-": "31", "!": "33", "…": "2", "≠": "36"}
_SERVICES = ("36", "35", "34", "32", "33", "96", "95", "94")
"""Colours that tell services apart in logs; after eight they come again."""


@dataclass(frozen=True, slots=True)
class Paint:
    """Paints text when `colour`, else leaves it as it is."""

    colour: bool = False

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    def sign(self, sign: str) -> str:
        """One of the signs of model.event, in its colour."""
        return self._in(_SIGNS.get(sign, "0"), sign)

    def good(self, text: str) -> str:
        """Done, healthy, open."""
        return self._in("32", text)

    def bad(self, text: str) -> str:
        """Wrong, down, blocked."""
        return self._in("31", text)

    def warn(self, text: str) -> str:
        """Worth looking at."""
        return self._in("33", text)

    def dim(self, text: str) -> str:
        """Secondary."""
        return self._in("2", text)

    def strong(self, text: str) -> str:
        """A heading."""
        return self._in("1", text)

    def link(self, text: str) -> str:
        """An address that one may open, or words that one may type."""
        return self._in("36", text)

    def service(self, index: int, text: str) -> str:
        """The colour of the service with that number."""
        return self._in(_SERVICES[index % len(_SERVICES)], text)


PLAIN = Paint(colour=False)


def width(text: str) -> int:
    """How many columns `text` takes on a terminal, colours left out."""
    return len(ESCAPES.sub("", text))


def pad(text: str, columns: int) -> str:
    """`text` followed by spaces up to `columns`."""
    return text + " " * max(0, columns - width(text))


def clean(text: str) -> str:
    """Text from an instance or a file, without what a terminal would obey: control characters become `?`."""
    return "".join(each if each.isprintable() or each == "\t" else "?" for each in text)
