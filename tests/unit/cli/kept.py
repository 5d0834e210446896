"""Golden text: what a person reads, kept as a file. `ANDEN_GOLDEN=write` writes it anew."""

import os
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def same(name: str, lines: Sequence[str]) -> None:
    """Assert that `lines` are what the golden file holds."""
    text = "\n".join(lines) + "\n"
    path = FOLDER / name
    if os.environ.get("ANDEN_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"{name} differs: ANDEN_GOLDEN=write, and review the difference"
