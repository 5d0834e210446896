"""Who asks. `web` knows by peer credentials; here it only becomes a word that is fit for the record."""

MOST_WHO = 80
"""Characters of a name in the record."""
ANDEN = "anden"
"""Who, when the control plane acts by itself."""


def named(who: str) -> str:
    """`who` on one line, printable, at most MOST_WHO characters; `unknown` when nothing is left."""
    said = "".join(letter if letter.isprintable() else " " for letter in who)
    return " ".join(said.split())[:MOST_WHO] or "unknown"
