"""What an instance was given of secrets, on the cell's private tmpfs and nowhere else: for its first start, for a
restart in place, and for commands beside it; a supervisor that comes back finds it here, without a control plane.

    /run/anden/secrets             0700
        ID.json     0600           every value by its place: a variable or a path below /run/secrets
        ID/         0500           the instance's own files; bound, read-only, to its /run/secrets
            NAME    0400           owned by the instance's user
"""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from anden.engines.local.cell import protocol
from anden.engines.local.idmap import UID_BASE
from anden.engines.local.render.container import User
from anden.model.secret import MOUNT

FOLDER = protocol.RUN / "secrets"
Values = Mapping[str, str]


def keep(id: str, values: Values) -> None:
    """Keep what the instance was given, before it is first started. Raises OSError."""
    drop(id)
    if not values:
        return
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    _write(_record(id), json.dumps(dict(values)), 0o600)


def given(id: str) -> dict[str, str]:
    """What it was given, by place; nothing when it was given nothing. Raises OSError, ValueError."""
    try:
        text = _record(id).read_text()
    except FileNotFoundError:
        return {}
    values: dict[str, str] = json.loads(text)
    return values


def variables(values: Values) -> dict[str, str]:
    """Those that are handed over as variables."""
    return {place: value for place, value in values.items() if not place.startswith("/")}


def files(id: str, values: Values, who: User) -> Path | None:
    """Write its files anew; the folder to bind to its MOUNT. None: it has none. Raises OSError."""
    named = {place.removeprefix(f"{MOUNT}/"): value for place, value in values.items() if place.startswith("/")}
    folder = FOLDER / id
    shutil.rmtree(folder, ignore_errors=True)
    if not named:
        return None
    folder.mkdir(mode=0o700)
    for name, value in named.items():
        _write(folder / name, value, 0o400)
        os.chown(folder / name, UID_BASE + who.uid, UID_BASE + who.gid)
    os.chown(folder, UID_BASE + who.uid, UID_BASE + who.gid)
    folder.chmod(0o500)
    return folder


def drop(id: str) -> None:
    """Leave nothing of it."""
    with suppress(FileNotFoundError):
        _record(id).unlink()
    shutil.rmtree(FOLDER / id, ignore_errors=True)


def _record(id: str) -> Path:
    return FOLDER / f"{id}.json"


def _write(path: Path, text: str, mode: int) -> None:
    """Nobody else's from its first moment, whatever the umask."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    path.chmod(mode)
