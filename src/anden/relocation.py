"""State that this machine kept of a client on AWS while the account had no bucket for it goes to the bucket.

The files that held it are set aside, never deleted: what the bucket knew otherwise is only there.
"""

import time
from pathlib import Path

from anden.engines.aws.moving import Moved, move
from anden.engines.aws.opening import Opened, fresh
from anden.model.problem import Problem, Problems
from anden.store import open_store
from anden.web.caller import myself
from anden.web.files import FOLDER_MODE, Files

MOST_ASIDE = 1000
"""Folders of what was set aside; one for each time that an account had no bucket."""


def relocate(client: str, files: Files, opened: Opened) -> str:
    """Move it, and say so; "" where there is nothing any more. Whoever asks holds the folder's lock. Raises Problems:
    it cannot be moved; everything is here still then, and the next command tries again."""
    state = opened.state
    if state is None or not files.store.exists():
        return ""
    try:
        store = open_store(files.store)
        try:
            moved = move(state, store, client, myself(), fresh, time.time)
        finally:
            store.close()
    except Problems as found:
        what = f"this machine holds records that are not in {opened.place} yet, and they cannot be moved"
        fix = "Mend that, then `anden history --on aws` moves them."
        why = "; ".join(str(problem) for problem in found.problems)
        raise Problems(Problem(f"state of {client} in {opened.account}", what, why, fix)) from found
    return _said(moved, opened.place, _set_aside(files))


def _said(moved: Moved, place: str, aside: Path) -> str:
    said = []
    if moved.moved:
        said.append(f"~ the state of {', '.join(moved.moved)} was moved from this machine to {place}")
    if moved.left:
        names = ", ".join(moved.left)
        said.append(f"! {place} knows {names} already and wins: what this machine held of it was not moved")
    said.append(f"  the files that held it on this machine: {aside}")
    return "\n".join(said)


def _set_aside(files: Files) -> Path:
    """The records first: without them nothing is left to move."""
    aside = _folder(files.folder)
    for each in sorted(files.folder.glob(f"{files.store.name}*"), key=lambda path: path.name):
        each.rename(aside / each.name)
    return aside


def _folder(beside: Path) -> Path:
    for number in range(1, MOST_ASIDE + 1):
        aside = beside / f"moved-{number}"
        try:
            aside.mkdir(mode=FOLDER_MODE)
        except FileExistsError:
            continue
        return aside
    raise Problems(Problem(str(beside), f"holds {MOST_ASIDE} folders of moved state", "", "Remove those you know."))
