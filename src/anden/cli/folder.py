"""A folder of rendered files: what in it is ours, what changes in it, and the blueprint that it was written from.

Ours is what `rendered.json` lists, as long as its text is still the one that was written. Names that begin with a dot
(`.git`) are nobody's business. Everything else that lies there keeps `anden render` from touching the folder at all.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from anden.model import codec
from anden.model.blueprint import Blueprint
from anden.model.ids import EnvironmentKey
from anden.model.plan import Action
from anden.model.problem import Problem, Problems

LIST, BLUEPRINT = "rendered.json", "blueprint.json"
MOST_ENTRIES = 20_000
"""Files and folders in a folder that we look through: 1,000 services on the twin write 3,000."""
MOST_NAMED = 3
"""Files that a message names."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a folder holds of ours: file name to SHA-256 as written, and the blueprint; nothing in a new one."""

    files: Mapping[str, str]
    blueprint: Blueprint | None = None


def kept(folder: Path, key: EnvironmentKey) -> Kept:
    """What the folder holds. Raises Problems: it is no folder, cannot be read, holds what is not ours, or what was
    rendered from another environment or for another engine."""
    if not folder.exists():
        return Kept({})
    if not folder.is_dir():
        raise Problems(Problem(str(folder), "is not a folder", "files are written into it", "Choose another with -o."))
    try:
        present = list(_present(folder))
        if not present:
            return Kept({})
        listed = _listed(folder, present)
        if listed["of"] != str(key):
            what, fix = f"holds what was rendered from {listed['of']}", "Choose another folder with -o."
            raise Problems(Problem(str(folder), what, f"this is {key}, and the two would mix", fix))
        strangers = [name for name in present if name not in listed["files"] and name != LIST]
        if strangers:
            raise Problems(_strange(folder, strangers))
        return Kept(listed["files"], _blueprint(folder, listed["files"]))
    except OSError as error:
        why = error.strerror or str(error)
        raise Problems(Problem(str(folder), "cannot be read", why, "Check its mode.")) from error


def edited(folder: Path, before: Kept, files: Mapping[str, str]) -> tuple[str, ...]:
    """Files of ours that somebody has changed since: their text is neither the old one nor the new."""
    found = []
    for name, digest in before.files.items():
        path = folder / name
        now = _digest(path.read_bytes()) if path.is_file() else digest
        if now not in (digest, _digest(files[name].encode()) if name in files else digest):
            found.append(name)
    return tuple(found)


def changes(before: Kept, files: Mapping[str, str]) -> dict[str, Action | None]:
    """Each file, new, other, gone, or (None) as it was: those of `files` in their order, then what goes."""
    found: dict[str, Action | None] = {}
    for name, text in files.items():
        same = before.files.get(name) == _digest(text.encode())
        found[name] = None if same else Action.UPDATE if name in before.files else Action.CREATE
    return found | {name: Action.DELETE for name in before.files if name not in files}


def write(folder: Path, key: EnvironmentKey, before: Kept, files: Mapping[str, str]) -> None:
    """Make the folder hold these files, and nothing of ours beside. Each is whole or not there; whoever is interrupted
    runs it again. Raises Problems: it cannot be written."""
    now = {name: _digest(text.encode()) for name, text in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # First old and new in one list: what is left half-way is still ours.
        _put(folder / LIST, _list(key, {**now, **before.files}))
        for name, text in files.items():
            _put(folder / name, text)
        for name in before.files:
            if name not in files:
                (folder / name).unlink(missing_ok=True)
                _prune(folder, (folder / name).parent)
        _put(folder / LIST, _list(key, now))
    except OSError as error:
        where, why = str(error.filename or folder), error.strerror or str(error)
        raise Problems(Problem(where, "cannot be written", why, "Choose another folder with -o.")) from error


def _list(key: EnvironmentKey, files: Mapping[str, str]) -> str:
    return json.dumps({"of": str(key), "files": dict(files)}, indent=1) + "\n"


def _present(folder: Path) -> Iterator[str]:
    seen = 0
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            what = f"holds more than {MOST_ENTRIES:,} files"
            raise Problems(Problem(str(folder), what, "no rendered folder does", "Choose another with -o."))
        for name in names:
            if not name.startswith("."):
                yield Path(path, name).relative_to(folder).as_posix()


def _listed(folder: Path, present: list[str]) -> dict[str, Any]:
    try:
        data = json.loads((folder / LIST).read_text(encoding="utf-8"))
        return {"of": str(data["of"]), "files": {_inside(name): str(digest) for name, digest in data["files"].items()}}
    except FileNotFoundError:
        raise Problems(_strange(folder, present)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = "it lists what in the folder is ours, and cannot be read"
        fix = "Restore it from version control, or choose another folder with -o."
        raise Problems(Problem(str(folder / LIST), "is not what `anden render` wrote", why, fix)) from error


def _inside(name: str) -> str:
    """The name. Raises ValueError when it leads out of the folder: we delete by it."""
    if Path(name).is_absolute() or ".." in Path(name).parts or not name:
        raise ValueError(name)
    return name


def _strange(folder: Path, names: list[str]) -> Problem:
    more = len(names) - MOST_NAMED
    shown = ", ".join(sorted(names)[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    what = f"holds {shown}, which `anden render` did not write"
    return Problem(str(folder), what, "nothing of anybody else's is overwritten", "Choose another folder with -o.")


def _blueprint(folder: Path, files: Mapping[str, str]) -> Blueprint | None:
    """The blueprint, when it is there as it was written: an edited one is no longer what was rendered."""
    path = folder / BLUEPRINT
    if not path.is_file() or _digest(path.read_bytes()) != files.get(BLUEPRINT):
        return None
    with contextlib.suppress(ValidationError):  # another version's, perhaps: then everything is placed anew
        return codec.from_json(Blueprint, path.read_bytes())
    return None


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".", delete=False) as file:
        try:
            file.write(text)
            file.close()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise


def _prune(folder: Path, empty: Path) -> None:
    """Folders of ours that nothing is left in."""
    while empty != folder:
        try:
            empty.rmdir()
        except OSError:
            return
        empty = empty.parent


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
