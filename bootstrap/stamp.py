"""What was set up, and for what: a file that is written last, so that what was interrupted is not taken for done."""

# ruff: noqa: PTH105, PTH116, PTH118, PTH123 - pathlib alone would take longer to import than all the rest of an everyday start

import os

DPKG = "/var/lib/dpkg/status"
"""Its time moves whenever a package comes or goes."""


class Place:
    """Where things of this clone lie."""

    def __init__(self, root: str, environment: str = ".venv") -> None:
        """environment: the folder of the virtual environment; the emulator of AWS has one of its own."""
        self.root = root
        self.venv = os.path.join(root, environment)
        self.python = os.path.join(self.venv, "bin", "python")
        self.stamp = os.path.join(self.venv, "anden-stamp")
        self.packages = os.path.join(self.venv, "anden-packages")

    def lock(self, kind: str) -> str:
        """The file of pinned packages: `run` for anden, `dev` for what tests need as well, `emulator` for the
        emulator of AWS alone."""
        return os.path.join(self.root, "requirements", kind + ".txt")


def wanted(at: Place, kind: str) -> str:
    """What the stamp says when the environment is ready. The one for tests begins with the one for running.

    The Python is the one that the environment was made of, which may be another than ours: sudo has its own PATH.
    """
    text = f"python {os.path.realpath(at.python)}\nroot {at.root}\n{read(at.lock('run'))}\n"
    return text if kind == "run" else f"{text}--- {kind}\n{read(at.lock(kind))}\n"


def environment_ready(at: Place, kind: str) -> bool:
    """Whether the virtual environment holds what its locks say, in this folder, and its Python is still there."""
    try:
        return os.access(at.python, os.X_OK) and read(at.stamp).startswith(wanted(at, kind))
    except OSError:
        return False


def packages_known(at: Place) -> bool:
    """Whether all tools were there and no package came or went since."""
    try:
        return read(at.packages) == packages_now(at)
    except OSError:
        return False


def packages_now(at: Place) -> str:
    """Changes whenever the tools must be looked for again. Raises OSError where there is no dpkg."""
    tools = os.path.join(at.root, "src", "anden", "engines", "local", "tools.py")
    return f"{os.stat(DPKG).st_mtime_ns} {os.stat(tools).st_mtime_ns}\n"


def read(path: str) -> str:
    """The text of a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path: str, text: str) -> None:
    """A file that is there whole or not at all."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
