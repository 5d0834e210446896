"""The certificate that the gateway shows, with its key: in the cell's memory, and nowhere else. It outlives the
supervisor and ends with the cell. Whoever signs it lives outside (engines.local.authority)."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_CURRENT = "current.json"


class Certificates:
    """folder: of the cell's own memory. One certificate is the present one; files of others are removed in time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def file(self) -> Path | None:
        """Certificate and key, as HAProxy reads them when it starts; None: there is none."""
        name = self._current().get("name")
        return self._folder / str(name) if name else None

    def due(self, now: float) -> bool:
        """Whether another one is to be asked for: there is none, or it is time. now: Unix seconds."""
        return now >= float(self._current().get("renew_at", 0.0))

    def public(self, now: float) -> str | None:
        """The present certificate without its key; None: there is none, or it is due."""
        file = self.file
        return None if file is None or self.due(now) else _certificate(file.read_text())

    def put(self, pem: str) -> None:
        """Make it the present one, due until it is settled: until the processes show it. pem: certificate and key.
        Raises ValueError: there is no certificate in it."""
        if (certificate := _certificate(pem)) is None:
            raise ValueError("there is no certificate")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{hashlib.sha256(certificate.encode()).hexdigest()[:16]}.pem"
        self._write(name, pem)
        self._write(_CURRENT, json.dumps({"name": name, "renew_at": 0.0}))

    def settle(self, renew_at: float) -> None:
        """It is shown, and due then. Unix seconds."""
        self._write(_CURRENT, json.dumps({**self._current(), "renew_at": renew_at}))

    def sweep(self) -> None:
        """Remove the files of those that were replaced: no process reads them again."""
        present = self.file
        for file in self._folder.glob("*.pem"):
            if file != present:
                file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all of it."""
        for file in self._folder.glob("*"):
            file.unlink(missing_ok=True)

    def _current(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads((self._folder / _CURRENT).read_text())
            if isinstance(found, dict) and (self._folder / str(found.get("name"))).is_file():
                return found
        return {}

    def _write(self, name: str, text: str) -> None:
        """Nobody else may read it, from its first moment."""
        new = self._folder / f"{name}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
        new.replace(self._folder / name)


def _certificate(pem: str) -> str | None:
    begin, end = pem.find(BEGIN), pem.find(END)
    return pem[begin : end + len(END)] + "\n" if 0 <= begin < end else None
