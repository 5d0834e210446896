"""Looking for a planted value in everything that a run leaves behind, in each form in which it may lie there."""

import base64
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def forms(value: str) -> frozenset[bytes]:
    """In plain, hexadecimal, base64 at each of its three alignments, and as JSON and Python escape it."""
    data = value.encode()
    found = {data, data.hex().encode(), data.hex().upper().encode()}
    for shift in range(3):
        # What lies in front moves it; the letters at both ends depend on the neighbours, and are left out.
        text = base64.b64encode(b"\0" * shift + data)
        whole = text[4 if shift else 0 : len(text) - (4 if (len(data) + shift) % 3 else 0)]
        found |= {whole, whole.replace(b"+", b"-").replace(b"/", b"_")}
    found |= {json.dumps(value)[1:-1].encode(), json.dumps(value, ensure_ascii=False)[1:-1].encode()}
    found |= {repr(value)[1:-1].encode(), json.dumps(json.dumps(value))[1:-1].encode()}
    return frozenset(found)


def in_texts(value: str, texts: Iterable[str]) -> list[str]:
    """Those that hold it."""
    wanted = forms(value)
    return [text for text in texts if any(form in text.encode(errors="surrogateescape") for form in wanted)]


def in_files(value: str, folder: Path) -> list[str]:
    """Files below `folder` that hold it; links are not followed."""
    wanted = forms(value)
    return [str(file) for file in _files(folder) if any(form in _bytes(file) for form in wanted)]


def in_command_lines(value: str) -> list[str]:
    """Processes of this machine that show it to everybody."""
    wanted = forms(value)
    lines = {entry: _bytes(entry / "cmdline") for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    return [str(entry) for entry, line in lines.items() if any(form in line for form in wanted)]


def _files(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        for name in names:
            file = Path(here, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
