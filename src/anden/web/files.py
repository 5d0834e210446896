"""The files of one client's state folder that the daemon and its callers meet at."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from anden.model.problem import Problem, Problems

SOCKET_PATH_BYTES = 107
"""The longest path of a Unix socket on Linux: sun_path holds 108 bytes with its end (unix(7))."""
FOLDER_MODE = 0o700
FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Files:
    """`folder` is ROOT/CLIENT; everything of the client lies in it."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where the API listens."""
        return self.folder / "api.sock"

    @property
    def lock(self) -> Path:
        """Held (flock) by the one daemon of this folder; holds its process id."""
        return self.folder / "daemon.lock"

    @property
    def log(self) -> Path:
        """What the daemon says, rotated."""
        return self.folder / "daemon.log"

    @property
    def stderr(self) -> Path:
        """What the daemon said before it had a log; written anew at each start."""
        return self.folder / "daemon.err"

    @property
    def token(self) -> Path:
        """The bearer token of the TCP listener of `anden serve`."""
        return self.folder / "token"

    @property
    def store(self) -> Path:
        """The client's records."""
        return self.folder / "anden.db"

    def prepare(self) -> None:
        """Make the folder, for its owner only. Raises Problems, for a socket path that is too long as well."""
        size = len(os.fsencode(self.socket))
        if size > SOCKET_PATH_BYTES:
            raise Problems(
                Problem(
                    f"{self.socket}",
                    f"the socket's path is {size} bytes long",
                    f"Linux takes {SOCKET_PATH_BYTES} at most",
                    "Set ANDEN_STATE to a shorter folder, or give the client a shorter name.",
                )
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
            found = self.folder.stat()
            if found.st_uid == getattr(os, "geteuid", lambda: None)() and stat.S_IMODE(found.st_mode) != FOLDER_MODE:
                self.folder.chmod(FOLDER_MODE)
        except OSError as error:
            raise Problems(
                Problem(
                    f"{self.folder}", "the state folder cannot be made", error.strerror or str(error),
                    "Run as root (sudo), or set ANDEN_STATE to a folder of your own.",
                )
            ) from error  # fmt: skip
