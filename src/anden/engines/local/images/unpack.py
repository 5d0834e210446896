"""An image's files on disk, owned by the ids that an instance's users are."""

import contextlib
import os
import stat
import threading
from pathlib import Path

from anden.engines.local import idmap
from anden.engines.local.images import process
from anden.engines.local.images.cache import TAG, Cache, flush
from anden.model.ids import Digest
from anden.model.problem import Problem, Problems

LIMIT_S = 300.0


def make(cache: Cache, digest: Digest, stop: threading.Event) -> Path:
    """The folder with the image's files; unpacks them when they are not there. Raises Problems, process.Cancelled."""
    target = cache.rootfs(digest)
    if target.is_dir():
        return target
    where = f"image {digest}"
    with cache.lock(f"unpack-{target.name[:16]}"):
        if target.is_dir():
            return target
        if not cache.has(digest):
            what = "is not in the image cache of this machine"
            raise Problems(Problem(where, what, "it was removed", "Run anden up: it builds or imports it again."))
        process.require(("umoci",), where)
        cache.room(where)
        ids = f"0:{idmap.UID_BASE}:{idmap.UID_COUNT}"
        with cache.work() as work:
            tree = work / "rootfs"
            # From within the layout: umoci splits its argument at the first colon, and a path may have one.
            argv = ["umoci", "raw", "unpack", "--image", f".:{TAG}", "--uid-map", ids, "--gid-map", ids, str(tree)]
            ran = process.run(argv, where=where, limit_s=LIMIT_S, stop=stop, disk=work, cwd=cache.layout(digest))
            if ran.code != 0:
                raise Problems(ran.problem(where, "cannot be unpacked", cache.mending(digest), work))
            try:
                _without_devices(tree)
                flush(tree)
                with contextlib.suppress(FileExistsError):
                    tree.rename(target)
            except OSError as error:
                raise Problems(Problem(where, "cannot be unpacked", str(error), "Look at the disk.")) from error
    return target


def _without_devices(tree: Path) -> None:
    """An instance has the devices that its own /dev gives it, and none that an image brings along."""
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
                path.unlink()
