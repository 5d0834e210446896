"""The image cache on disk: content-addressed, shared by every client of this machine, safe for several at once.

    blobs/sha256/HEX       layers, configurations and manifests, each once
    layouts/HEX/           an OCI layout with one image each (blobs is a link); there ⇔ the image is complete
    rootfs/HEX/            the image's files, owned by the ids of idmap; there ⇔ complete
    records/KIND/HEX       what a name or a build meant: {"key", "digest"}
    storage/, work/, locks/, policy.json, registries.conf
                           of builds
Everything appears by a rename, so that whatever is interrupted leaves nothing half-done, only a folder in work/.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.ports import Clock
from anden.model.problem import Problem, Problems

TAG = "image"
"""The one reference name in each layout."""
LOCK_LIMIT_S = 900.0
"""How long to wait for another process that builds or unpacks the same: a build's own bound and some."""
LOCK_POLL_S = 0.05
WORK_KEPT_S = 24 * 3600.0
"""What lies in work/ for longer was left by a process that died."""
LEAST_FREE_BYTES = 1024**3
"""Building and unpacking begin only with this much room on the disk."""
REFERENCE = "org.opencontainers.image.ref.name"
HEX_DIGITS = 64


class Kind(StrEnum):
    """What a record remembers: an image's name, a build by its key, an import by its file, anden's own base."""

    NAME = "names"
    BUILD = "builds"
    IMPORT = "imports"
    FOUNDATION = "foundation"


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache below `root`."""

    root: Path
    clock: Clock

    def layout(self, digest: Digest) -> Path:
        """The OCI layout of the image, whether it is there or not."""
        return self.root / "layouts" / _hex(digest)

    def rootfs(self, digest: Digest) -> Path:
        """Its unpacked files, whether they are there or not."""
        return self.root / "rootfs" / _hex(digest)

    @property
    def storage(self) -> Path:
        """What buildah keeps."""
        return self.root / "storage"

    def has(self, digest: Digest) -> bool:
        """Whether the image is complete."""
        return (self.layout(digest) / "index.json").is_file()

    def image(self, digest: Digest, name: str) -> Image:
        """What the image's configuration says. Raises Problems when it is not in the cache or damaged."""
        try:
            manifest = self._blob(digest)
            config = self._blob(Digest(str(manifest["config"]["digest"])))
            return described(config, digest, name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Problems(
                Problem(f"image {name}", "is damaged in the cache", str(error), self.mending(digest))
            ) from error

    def mending(self, digest: Digest) -> str:
        """What helps when the image's files cannot be read."""
        return f"Remove {self.layout(digest)} and build or import the image again."

    def _blob(self, digest: Digest) -> dict[str, Any]:
        value = json.loads((self.root / "blobs" / "sha256" / _hex(digest)).read_bytes())
        if not isinstance(value, dict):
            raise ValueError(f"{digest} is not an object")
        return value

    def make(self) -> None:
        """Its folders, readable by root alone: unpacked images hold set-user-id files of other ids. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True)
        for name in ("blobs/sha256", "layouts", "rootfs", "records", "work", "locks"):
            (self.root / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """A folder for work in progress, on the same file system; gone afterwards."""
        folder = Path(tempfile.mkdtemp(dir=self.root / "work"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what processes that died left in work/."""
        for entry in (self.root / "work").iterdir():
            with contextlib.suppress(OSError):
                if self.clock.now() - entry.lstat().st_mtime > WORK_KEPT_S:
                    shutil.rmtree(entry, ignore_errors=True)

    def prepare_layout(self, folder: Path, *, shared: bool = True) -> None:
        """Make `folder`, in work/X/, an empty layout that shares the cache's blobs, or has its own until adopted."""
        folder.mkdir()
        if shared:
            (folder / "blobs").symlink_to("../../../blobs")
        else:
            (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def adopt(self, folder: Path) -> Digest:
        """Take a prepared layout that a tool has written one image into. Raises OSError, ValueError, KeyError."""
        blobs = folder / "blobs"
        if not blobs.is_symlink():
            for blob in (blobs / "sha256").iterdir():
                blob.rename(self.root / "blobs" / "sha256" / blob.name)
            shutil.rmtree(blobs)
            blobs.symlink_to("../../../blobs")
        index = json.loads((folder / "index.json").read_bytes())
        (manifest,) = index["manifests"]
        digest = Digest(str(manifest["digest"]))
        if "config" not in self._blob(digest):
            raise ValueError("it holds an index of images, not one image")
        if not self.has(digest):
            manifest["annotations"] = {REFERENCE: TAG}
            (folder / "index.json").write_text(json.dumps(index))
            blobs.unlink()
            blobs.symlink_to("../../blobs")
            flush(folder)
            with contextlib.suppress(OSError):  # somebody else was first, which the next line sees
                folder.rename(self.layout(digest))
            if not self.has(digest):
                raise OSError(f"{self.layout(digest)} cannot be written")
        return digest

    def recall(self, kind: Kind, key: str) -> Digest | None:
        """The image that `key` meant; None when that is not known, or the image is not here. Never raises."""
        try:
            found = json.loads((self.root / "records" / kind / _name(key)).read_bytes())
            digest = Digest(str(found["digest"]))
            return digest if self.has(digest) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, kind: Kind, key: str, digest: Digest) -> Digest:
        """Remember it and give what the key means from now on: a name that is known keeps its image."""
        if kind is Kind.NAME and (known := self.recall(kind, key)) is not None:
            return known
        folder = self.root / "records" / kind
        folder.mkdir(exist_ok=True)
        with self.work() as work:
            (work / "record").write_text(json.dumps({"key": key, "digest": digest}))
            (work / "record").rename(folder / _name(key))
        return digest

    @contextlib.contextmanager
    def lock(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Hold `name` against other threads and processes; raises Problems after LOCK_LIMIT_S."""
        deadline = self.clock.monotonic() + LOCK_LIMIT_S
        with (self.root / "locks" / name).open("w") as held:
            while True:
                try:
                    fcntl.flock(held, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self.clock.monotonic() > deadline:
                        why = f"another process has worked on it for {LOCK_LIMIT_S:.0f} s"
                        raise Problems(Problem(f"image cache, {name}", "is busy", why, "Look what it does.")) from None
                    # Not the clock's sleep: another process does not wait in virtual time.
                    time.sleep(LOCK_POLL_S)
            yield

    def room(self, where: str) -> None:
        """Raises Problems when the disk has less than LEAST_FREE_BYTES left."""
        free = shutil.disk_usage(self.root).free
        if free < LEAST_FREE_BYTES:
            what = f"{free // 1024**2} MiB are free on the disk of {self.root}"
            why = f"building and unpacking images needs {LEAST_FREE_BYTES // 1024**2} MiB"
            raise Problems(Problem(where, what, why, "Make room, or choose another disk with ANDEN_STATE."))


def described(config: dict[str, Any], digest: Digest, name: str) -> Image:
    """An image from its OCI configuration. Pure. Raises KeyError, TypeError, AttributeError when it is not one."""
    run = config.get("config") or {}
    env = dict(variable.partition("=")[::2] for variable in run.get("Env") or ())
    return Image(
        name=name,
        digest=digest,
        architecture=str(config["architecture"]),
        entrypoint=tuple(run.get("Entrypoint") or ()),
        command=tuple(run.get("Cmd") or ()),
        env=env,
        user=str(run.get("User") or ""),
        workdir=str(run.get("WorkingDir") or "/"),
    )


def _hex(digest: Digest) -> str:
    found = digest.removeprefix("sha256:")
    if len(found) != HEX_DIGITS or not set(found) <= set("0123456789abcdef"):
        raise ValueError(f"{digest} is not a digest")
    return found


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def flush(folder: Path) -> None:
    """Have its file system write what it holds back: after a power cut, what was renamed into place is complete."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"{folder} cannot be written to the disk")
    finally:
        os.close(descriptor)
