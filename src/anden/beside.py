"""Files beside a manifest that it names, as text: issuers' public keys."""

from pathlib import Path

MOST_BYTES = 256 * 1024
"""Of such a file; what is larger is not read."""


class Beside:
    """Reads files of a folder. texts: what was read so far, by the names that were asked for: for the API."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.texts: dict[str, str] = {}

    def text(self, name: str) -> str | None:
        """The file's text; None when there is none, or it is no text."""
        path = self._folder / name
        try:
            if not path.is_file() or path.stat().st_size > MOST_BYTES:
                return None
            self.texts[name] = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        return self.texts[name]
