"""docs/escapes.md, from the list."""

from tests.live.escapes.attempts import ATTEMPTS, CELL, HOST, OWN, Attempt

HEAD = """# Attempts to get out of an instance

What an instance may not do, each really tried by `tests/live/test_escapes.py`: as an ordinary user (1000) and as root
of the instance (`user: "0"`), which is nobody on the machine. Outside, root runs the same program, so that a slip of
the pen does not count as a refusal. This page is made from `tests/live/escapes/attempts.py`, and a test compares them.

It is a list of what was thought of, not a proof: a fault of the kernel is not on it. See `docs/critiques.md`.

| what is tried | why it must fail | refused with | the same outside |
|---|---|---|---|
"""
WORLDS = {OWN: "in a throwaway world", HOST: "on the machine", CELL: "in the cell"}


def text() -> str:
    """The page."""
    return HEAD + "".join(f"| {' | '.join(_row(each))} |\n" for each in ATTEMPTS)


def _row(attempt: Attempt) -> tuple[str, ...]:
    who = "" if len(attempt.users) > 1 else f" (as {', '.join(attempt.users)})"
    return (
        f"**{attempt.name}**: {attempt.tries}{who}",
        attempt.why,
        _outcomes(attempt.refused),
        f"{WORLDS[attempt.where]}: {_outcomes(attempt.outside)}",
    )


def _outcomes(found: tuple[str, ...]) -> str:
    return " or ".join(each.removeprefix("held: ") for each in found)
