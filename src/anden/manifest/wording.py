"""How problems are worded: values shown, names listed, the near one suggested."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

LONGEST_SHOWN = 60
"""Characters of a value that a message repeats."""
LONGEST_COMPARED = 64
"""Characters of a name beyond which no near one is looked for."""
MOST_LISTED = 24
"""Names that a message lists."""


def shown(text: str) -> str:
    """A value as a message repeats it: bare when it is one plain word, quoted and escaped otherwise, never long."""
    short = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    if short and short.isprintable() and " " not in short and not short.startswith(("'", '"')):
        return short
    return repr(short)


def listed(names: Iterable[object], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`; many are cut off."""
    words = [str(name) for name in names]
    if len(words) > MOST_LISTED:
        return ", ".join(words[:MOST_LISTED]) + f" and {len(words) - MOST_LISTED} more"
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + f" {last} {words[-1]}"


def near(word: str, known: Collection[str]) -> str | None:
    """The known name that `word` most likely was meant to be; None when none is near."""
    if word in known:
        return word
    if len(word) > LONGEST_COMPARED:
        return None
    plain = {_plain(name): name for name in known if len(name) <= LONGEST_COMPARED}
    if _plain(word) in plain:
        return plain[_plain(word)]
    lower = {name.lower(): name for name in known if len(name) <= LONGEST_COMPARED}
    found = get_close_matches(word.lower(), lower, n=1, cutoff=0.65)
    return lower[found[0]] if found else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
