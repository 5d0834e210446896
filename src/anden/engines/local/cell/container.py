"""One instance's container on the cell's tmpfs: its files, its overlay, and the runtime's commands as values."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from anden.engines.local.cell import namespaces, protocol, secrets
from anden.engines.local.idmap import UID_BASE
from anden.engines.local.render import container as render
from anden.engines.local.render.container import Surroundings, User
from anden.model.configuration import Configuration
from anden.model.instance import Instance

BUNDLES = protocol.RUN / "bundles"
STATE = protocol.RUN / "crun"
RUNTIME = ("crun", "--root", str(STATE), "--cgroup-manager", "cgroupfs")


class Bundle:
    """The folder of one instance. `rootfs` of the image is given relative to the image cache."""

    def __init__(self, instance: Instance, rootfs: str, group: str) -> None:
        self.instance = instance
        self.folder = BUNDLES / instance.id
        self._lower = protocol.IMAGES / rootfs
        self._group = group

    @property
    def group(self) -> str:
        """The instance's control group."""
        return f"{self._group}/{self.instance.id}"

    @property
    def _root(self) -> Path:
        return self.folder / "rootfs"

    def user(self) -> User:
        """Who its process is, by the image's own files. Raises Problems for a user that the image does not have."""
        return render.user(self.instance, self._text("etc/passwd"), self._text("etc/group"))

    def make(self, netns: str, configuration: Configuration, seccomp: Mapping[str, Any] | None) -> None:
        """Write its files and mount its overlay, whatever of that was there before. Raises OSError or Problems."""
        self.remove()
        for name in ("upper", "work", "rootfs"):
            (self.folder / name).mkdir(parents=True)
        # The upper layer's folder is the root that the instance sees: it belongs to the instance's root.
        os.chown(self.folder / "upper", UID_BASE, UID_BASE)
        (self.folder / "upper").chmod(0o755)
        layers = f"lowerdir={self._lower},upperdir={self.folder}/upper,workdir={self.folder}/work"
        namespaces.mount("overlay", self._root, "overlay", 0, layers)
        (self.folder / "hosts").write_text(render.hosts(self.instance))
        (self.folder / "resolv.conf").write_text(render.resolv(configuration))
        who, given = self.user(), secrets.given(self.instance.id)
        files = secrets.files(self.instance.id, given, who)
        at = Surroundings(
            str(self._root), netns, self.group, f"{self.folder}/hosts", f"{self.folder}/resolv.conf", seccomp,
            None if files is None else str(files),
        )  # fmt: skip
        made = render.spec(self.instance, who, at, secrets.variables(given))
        new = self.folder / "config.new"
        _write(new, json.dumps(made))
        new.replace(self.folder / "config.json")

    @property
    def made(self) -> bool:
        """Whether `make` came to its end."""
        return (self.folder / "config.json").exists()

    def remove(self) -> None:
        """Unmount the overlay and remove the folder. Not an error when there is nothing."""
        with suppress(OSError):
            namespaces.unmount(self._root)
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self) -> list[str]:
        """The command that makes the container, up to the point where its program would begin."""
        files = ["--bundle", str(self.folder), "--pid-file", str(self.folder / "pid")]
        return [*RUNTIME, "create", *files, self.instance.id]

    def start(self) -> list[str]:
        """The command that lets its program begin."""
        return [*RUNTIME, "start", self.instance.id]

    def delete(self) -> list[str]:
        """The command that ends whatever is in it and forgets it."""
        return [*RUNTIME, "delete", "--force", self.instance.id]

    def exec(self, argv: tuple[str, ...], number: int) -> tuple[list[str], Path]:
        """The command that runs `argv` in it, and the file that then holds its process id. Raises OSError, Problems."""
        description = self.folder / f"exec-{number}.json"
        pid = self.folder / f"exec-{number}.pid"
        given = secrets.variables(secrets.given(self.instance.id))
        _write(description, json.dumps(render.process(self.instance, self.user(), argv, given)))
        command = [*RUNTIME, "exec", "--process", str(description), "--pid-file", str(pid), self.instance.id]
        return command, pid

    def pid(self) -> int:
        """The process id of its program, in the cell. Raises OSError or ValueError when it was not made."""
        return int((self.folder / "pid").read_text())

    def _text(self, name: str) -> str:
        """A file of the image. A link that leads out of it is not followed."""
        try:
            descriptor = os.open(self._lower / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return ""
        with os.fdopen(descriptor, errors="replace") as file:
            return file.read(1024 * 1024)


def _write(path: Path, text: str) -> None:
    """For root only from its first moment: the values of secrets stand in it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
