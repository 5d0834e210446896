"""Files of invitations, for tests of who joins."""

from dataclasses import replace
from pathlib import Path
from time import time

from anden.cli import invitation
from anden.model.invitation import Invitation


def written(folder: Path, of: Invitation) -> Path:
    """The file of one that begins now, and lasts for ten minutes."""
    now = float(int(time()))
    path = folder / "core.invitation"
    made = replace(of, made=now, rehearsal=replace(of.rehearsal, until=now + 600))
    with invitation.writing(path, made) as put:
        put(None)
    return path
