"""`./anden`: sees in a few milliseconds that nothing is missing, and becomes the command line. Python 3.11 or newer.

Only os and sys are imported on this way; what sets things up is imported when there is something to set up.
"""

# ruff: noqa: PLC0415 - what sets things up is imported only when there is something to set up

import os
import sys

from bootstrap import stamp

VALUED = {"-C", "-e", "--environment", "--on", "--client"}
"""Options that take the next word, of those that may stand before the command."""
NEEDS_CELL = {"up", "deploy", "scale", "rollback", "restart", "exec", "prove", "serve"}
"""Commands that make or enter a cell on this machine, and so need the distribution's tools."""


def main(root: str, argv: list[str]) -> None:
    """Set up what is missing, then become `python -m anden`. Does not return."""
    at = stamp.Place(root)
    cell = needs_cell(argv) and os.environ.get("_ANDEN_COMPLETE") is None and not stamp.packages_known(at)
    ready = stamp.environment_ready(at, "run")
    if cell or not ready:
        from bootstrap import setup

        setup.ensure(at, argv, "run", cell=cell)
    os.environ.setdefault("ANDEN_COMMAND", sys.argv[0])
    # -P: the folder that somebody stands in is not searched for modules.
    os.execv(at.python, [at.python, "-P", "-m", "anden", *argv])  # noqa: S606 - no shell is wanted


def needs_cell(argv: list[str]) -> bool:
    """Whether these words make or enter a cell. Pure."""
    words = argv[: argv.index("--")] if "--" in argv else argv
    if {"-h", "--help"} & set(words) or engine(words) != "local":
        return False
    command = name(words)
    return command in NEEDS_CELL or (command == "reach" and "--live" in words)


def name(words: list[str]) -> str:
    """The command among the words; empty when there is none. Pure."""
    skip = False
    for word in words:
        if skip or word.startswith("-"):
            skip = not skip and word in VALUED
        else:
            return word
    return ""


def engine(words: list[str]) -> str:
    """What `--on` says. Pure."""
    for index, word in enumerate(words):
        if word == "--on":
            return words[index + 1] if index + 1 < len(words) else ""
        if word.startswith("--on="):
            return word.partition("=")[2]
    return "local"
