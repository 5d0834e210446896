"""anden's own base image: Python from the packages of this machine's distribution, made once, without any registry."""

import hashlib
import json
import os
import platform
import re
import shutil
import stat
import tarfile
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

from anden.engines.local.images import process
from anden.engines.local.images.cache import Cache, Kind
from anden.model.ids import Digest
from anden.model.problem import Problem, Problems

RECIPE = 1
"""Part of the base's key: raise it when anything below changes what comes out."""
PACKAGES = ("base-files", "base-passwd", "ca-certificates", "libc-bin", "netbase", "python3", "busybox-static")
"""busybox-static gives `RUN` a shell and the usual small commands, in 2 MB."""
LEFT_OUT = (
    "/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/lintian/*",
    "/usr/lib/*/gconv/*", "/usr/lib/python3*/pydoc_data/*", "/usr/lib/python3*/lib2to3/*", "/usr/lib/python3*/test/*",
)  # fmt: skip
APPLETS = (
    "sh", "ash", "cat", "ls", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "chmod", "chown", "chgrp", "touch", "echo",
    "printf", "env", "id", "true", "false", "test", "[", "sleep", "date", "pwd", "head", "tail", "cut", "sort",
    "uniq", "wc", "tr", "grep", "sed", "awk", "find", "xargs", "basename", "dirname", "readlink", "realpath",
    "stat", "tar", "gzip", "gunzip", "sha256sum", "ps", "kill", "top", "df", "du", "free", "netstat", "hostname",
    "uname", "whoami", "adduser", "addgroup",
)  # fmt: skip
"""Of busybox, what does not resolve names: its wget and nslookup crash, being linked statically."""
USERS = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "service:x:10001:10001:service:/nonexistent:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
)
GROUP = "root:x:0:\nservice:x:10001:\nnogroup:x:65534:\n"
MODES = {"tmp": 0o1777, "root": 0o700}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LIMIT_S = 600.0
"""For mmdebstrap: seconds on a near mirror, minutes on a far one."""
COMPILE_LIMIT_S = 120.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "ppc64le": "ppc64le", "s390x": "s390x"}
"""The kernel's words to OCI's."""


def architecture() -> str:
    """The machine's, in OCI's words."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def codename() -> str:
    """Of this machine's distribution, as its archive has it: `bookworm`; empty when there is none."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        return ""


def key() -> str:
    """What the base depends on."""
    return f"python {codename()} {architecture()} {RECIPE}"


def known(cache: Cache) -> Digest | None:
    """The base, when it has been made."""
    return cache.recall(Kind.FOUNDATION, key())


def make(cache: Cache, stop: threading.Event) -> Digest:
    """The base; makes it when it is not there. Raises Problems, and process.Cancelled."""
    with cache.lock("foundation"):
        if (found := known(cache)) is not None:
            return found
        where = "base image"
        if not codename():
            why = "anden makes its base image from the packages of a Debian or Ubuntu machine"
            fix = "Import an image instead: image: docker-archive:FILE."
            raise Problems(Problem(where, "this is neither Debian nor Ubuntu", why, fix))
        process.require(("mmdebstrap",), where)
        cache.room(where)
        with cache.work() as work:
            tree = work / "tree"
            _extract(tree, stop)
            _furnish(tree, stop)
            folder = work / "layout"
            cache.prepare_layout(folder)
            try:
                _write(cache, folder, tree, work / "layer.tar")
                digest = cache.adopt(folder)
            except OSError as error:
                raise Problems(Problem(where, "cannot be written", str(error), "Look at the disk.")) from error
        return cache.remember(Kind.FOUNDATION, key(), digest)


def sources(files: dict[str, str], codename: str) -> tuple[str, ...]:
    """Of apt's source files (path to text), those that give the distribution's own packages. Pure."""
    suite = re.compile(rf"(?<![\w.-]){re.escape(codename)}(?![\w.])")
    return tuple(
        path
        for path, text in sorted(files.items())
        if any(
            suite.search(part) and re.search(r"\bmain\b", part)
            for part in ("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")),)
        )
    )


def _extract(tree: Path, stop: threading.Event) -> None:
    """Unpack the packages. No maintainer script of theirs runs."""
    etc = Path("/etc/apt")
    files = [etc / "sources.list", *etc.glob("sources.list.d/*.list"), *etc.glob("sources.list.d/*.sources")]
    chosen = sources({str(path): path.read_text(errors="replace") for path in files if path.is_file()}, codename())
    argv = [
        "mmdebstrap", "--mode=root", "--variant=extract", "--format=directory", "--quiet",
        f"--include={','.join(PACKAGES)}",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        codename(), str(tree), *chosen,
    ]  # fmt: skip
    ran = process.run(
        argv, where="base image", limit_s=LIMIT_S, stop=stop, disk=tree.parent, env={"SOURCE_DATE_EPOCH": "0"}
    )
    if ran.code != 0:
        fix = "See that `apt-get update` works on this machine, and run the command again."
        raise Problems(ran.problem("base image", "mmdebstrap could not make it", fix, tree.parent))


def _furnish(tree: Path, stop: threading.Event) -> None:
    """What maintainer scripts would have done, as far as a service needs it."""
    (tree / "etc" / "passwd").write_text(USERS)
    (tree / "etc" / "group").write_text(GROUP)
    for name in ("etc/resolv.conf", "etc/hostname"):  # copies of this machine's
        (tree / name).unlink(missing_ok=True)
    (tree / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    for name in ("dev", "var/cache/apt", "var/lib/apt", "var/log"):
        shutil.rmtree(tree / name, ignore_errors=True)
        (tree / name).mkdir(parents=True)
    _certificates(tree)
    for applet in APPLETS:
        link = tree / "bin" / applet
        if not any((tree / folder / applet).is_symlink() or (tree / folder / applet).exists()
                   for folder in ("bin", "sbin", "usr/bin", "usr/sbin")):  # fmt: skip
            link.symlink_to("busybox")
    library = next((tree / "usr" / "lib").glob("python3.[0-9]*"))
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"/usr/lib/{library.name}"]
    argv = ["chroot", str(tree), f"/usr/bin/{library.name}", "-I", *compile_all]
    ran = process.run(argv, where="base image", limit_s=COMPILE_LIMIT_S, stop=stop, disk=tree.parent)
    if ran.code != 0:
        raise Problems(ran.problem("base image", "its Python does not run", "Report this, with these lines.", tree))


def _certificates(tree: Path) -> None:
    """The bundle that update-ca-certificates would have written."""
    found = sorted((tree / "usr" / "share" / "ca-certificates" / "mozilla").glob("*.crt"))
    target = tree / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(path.read_text() for path in found))


def _write(cache: Cache, folder: Path, tree: Path, layer: Path) -> None:
    """The tree as an image of one layer, uncompressed: no tool has to pack or unpack it again."""
    with layer.open("xb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(tree.rglob("*")):
            _add(tar, tree, path)
    with layer.open("rb") as written:
        layer_digest = hashlib.file_digest(written, "sha256").hexdigest()
    size = layer.stat().st_size
    layer.rename(cache.root / "blobs" / "sha256" / layer_digest)
    config = {
        "architecture": architecture(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": [f"PATH={PATH}", "LANG=C.UTF-8", "PYTHONUNBUFFERED=1"],
            "Cmd": ["python3"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": f"anden base {key()}"}],
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": {"mediaType": f"{kind}.config.v1+json", **_put(cache, config)},
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", "digest": f"sha256:{layer_digest}", "size": size}],
    }
    index = {"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], **_put(cache, manifest)}]}
    (folder / "index.json").write_text(json.dumps(index))


def _add(tar: tarfile.TarFile, tree: Path, path: Path) -> None:
    info = tar.gettarinfo(path, arcname=str(path.relative_to(tree)))
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    info.mode = MODES.get(info.name, stat.S_IMODE(info.mode) & ~(stat.S_ISUID | stat.S_ISGID))
    if info.isreg():
        with path.open("rb") as raw:
            tar.addfile(info, cast(BinaryIO, raw))
    else:
        tar.addfile(info)


def _put(cache: Cache, value: dict[str, Any]) -> dict[str, Any]:
    """Write a JSON blob; its digest and size."""
    data = json.dumps(value, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    target = cache.root / "blobs" / "sha256" / digest
    temporary = target.with_name(f"{digest}.{os.getpid()}.{threading.get_ident()}")
    temporary.write_bytes(data)
    temporary.rename(target)
    return {"digest": f"sha256:{digest}", "size": len(data)}
