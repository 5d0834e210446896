"""Where a cell lies on the machine, and whether it runs."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anden.engines.local.cell import keeper
from anden.model.ids import EnvironmentKey

SINCE_BOOT = "not running since boot"
KEEPER_DIED = "its keeper died"


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one cell."""

    folder: Path

    @property
    def log(self) -> Path:
        """What the cell's own processes say."""
        return self.folder / keeper.LOG

    @property
    def logs(self) -> Path:
        """The folder of the instances' logs."""
        return self.folder / "logs"

    @property
    def lock(self) -> Path:
        """Held while any process of the cell lives."""
        return self.folder / keeper.LOCK

    @property
    def group(self) -> str:
        """Its control group: by the folder, for two state directories may hold cells of the same name."""
        return "/anden/" + hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]

    def record(self) -> dict[str, Any] | None:
        """What its keeper wrote; None: there was none, or it ended as it was told to."""
        try:
            found = json.loads((self.folder / keeper.RECORD).read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def keeper(self) -> int | None:
        """The process id of its keeper, when it runs."""
        record = self.record()
        if record is None or record["boot"] != keeper.boot():
            return None
        pid = int(record["pid"])
        return pid if keeper.began(pid) == record["began"] else None

    def absent_reason(self) -> str:
        """Why it does not run, as far as one can know; empty: it never did, or was ended."""
        record = self.record()
        if record is None:
            return ""
        if record["boot"] != keeper.boot():
            return SINCE_BOOT
        return str(record["ended"]) or KEEPER_DIED

    def gateway(self) -> str | None:
        """Where its gateway listens, or did."""
        record = self.record()
        return None if record is None else str(record["gateway"])

    def tail(self, lines: int) -> list[str]:
        """The last lines that its own processes said."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            return []


def of(state: Path, key: EnvironmentKey) -> Place:
    """The place of an environment's cell below a state folder."""
    return Place(state.resolve() / key.client / "cells" / key.environment)
