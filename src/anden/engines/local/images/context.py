"""A build context: which files, what they come to as a digest, and a copy of exactly those for the build."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anden.engines.local.images import ignore
from anden.model.problem import Problem, Problems

CONTAINERFILES = ("Containerfile", "Dockerfile")
"""In order of preference, as buildah has it."""
MOST_FILES = 20_000
MOST_BYTES = 512 * 1024 * 1024
"""A context is source code; past these bounds somebody forgot a .containerignore."""
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Context:
    """A folder to build. `text`: its Containerfile's."""

    folder: Path
    containerfile: str
    text: str
    rules: tuple[ignore.Rule, ...]


def find(folder: Path, where: str) -> Context:
    """The context that lies in `folder`. Raises Problems."""
    if not folder.is_dir():
        raise Problems(Problem(where, f"{folder} is not a folder", fix="build names a folder beside the manifest."))
    name = next((name for name in CONTAINERFILES if (folder / name).is_file()), None)
    if name is None:
        why = "build needs a Containerfile or a Dockerfile"
        raise Problems(Problem(where, f"{folder} holds neither", why, f"Write {folder / CONTAINERFILES[0]}."))
    try:
        rules = next((ignore.rules((folder / f).read_text()) for f in ignore.FILES if (folder / f).is_file()), ())
        return Context(folder, name, (folder / name).read_text(), rules)
    except (OSError, UnicodeDecodeError) as error:
        raise Problems(Problem(where, f"{folder} cannot be read", str(error), "Mend the file or its mode.")) from error


def digest(context: Context, where: str, into: Path | None = None) -> str:
    """SHA-256 of the paths, modes, links and contents of its files; copies them `into` a folder when one is given, so
    that what is built is what was digested. Raises Problems past the bounds, and for what is no file, folder or link.
    """
    total = hashlib.sha256()
    files, size = 0, 0
    try:
        for entry, path in _walk(context):
            mode = entry.stat(follow_symlinks=False).st_mode
            target = None if into is None else into / path
            files += 1
            if entry.is_symlink():
                kind, content = "link", str(Path(entry.path).readlink()).encode()
                if target is not None:
                    target.symlink_to(content.decode())
            elif entry.is_dir():
                kind, content = "folder", b""
                if target is not None:
                    target.mkdir()
                    target.chmod(stat.S_IMODE(mode))
            elif entry.is_file():
                kind = "file"
                size += entry.stat().st_size
                if size > MOST_BYTES:
                    raise Problems(_large(context, where, f"more than {MOST_BYTES // 1024**2} MiB"))
                content = _contents(Path(entry.path), target)
            else:
                why = "a build context holds files, folders and links"
                fix = f"Remove it, or name it in {ignore.FILES[0]}."
                raise Problems(Problem(where, f"{entry.path} is a socket, pipe or device", why, fix))
            if files > MOST_FILES:
                raise Problems(_large(context, where, f"more than {MOST_FILES} files"))
            bits = "" if kind == "link" else f"{stat.S_IMODE(mode):o}"
            total.update(f"{kind}\0{path}\0{bits}\0".encode(errors="surrogateescape") + content + b"\n")
    except OSError as error:
        what = f"{context.folder} cannot be read" if into is None else f"{context.folder} cannot be copied"
        raise Problems(Problem(where, what, str(error), "Mend the file, its mode or the disk.")) from error
    return total.hexdigest()


def _large(context: Context, where: str, how: str) -> Problem:
    why = f"a context may have {MOST_FILES} files and {MOST_BYTES // 1024**2} MiB"
    return Problem(
        where, f"{context.folder} has {how}", why, f"Name what the build does not need in {ignore.FILES[0]}."
    )


def _walk(context: Context) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every entry that is not ignored and its path in the context, folders before what they hold, in a fixed order."""
    yield from _below(context.folder, "", context)


def _below(folder: Path, prefix: str, context: Context) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as scan:
        entries: Sequence[os.DirEntry[str]] = sorted(scan, key=lambda entry: entry.name)
    exceptions = any(rule.keeps for rule in context.rules)
    for entry in entries:
        path = prefix + entry.name
        out = path not in {context.containerfile, *ignore.FILES} and ignore.ignored(path, context.rules)
        within = entry.is_dir(follow_symlinks=False)
        # An ignored folder may hold what a later `!` line keeps: then the folder is walked, and stays as a folder.
        if out and not (within and exceptions):
            continue
        yield entry, path
        if within:
            yield from _below(folder / entry.name, path + "/", context)


def _contents(source: Path, target: Path | None) -> bytes:
    """The digest of a file's contents; copies it with its mode on the way."""
    total = hashlib.sha256()
    with source.open("rb") as reading:
        if target is None:
            while chunk := reading.read(CHUNK_BYTES):
                total.update(chunk)
            return total.digest()
        with target.open("xb") as writing:
            while chunk := reading.read(CHUNK_BYTES):
                total.update(chunk)
                writing.write(chunk)
    shutil.copymode(source, target)
    return total.digest()
