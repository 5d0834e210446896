"""Imports images from files, with skopeo."""

import json
import threading
from pathlib import Path

from anden.engines.local.images import build, process
from anden.engines.local.images.cache import TAG, Cache, Kind
from anden.engines.local.images.reference import Kind as Form
from anden.engines.local.images.reference import Reference, named
from anden.model.ids import Digest
from anden.model.problem import Problem, Problems

LIMIT_S = 300.0
OTHER_ARCHITECTURE = "no image found"
"""What skopeo says when an index has nothing for this machine."""


def source(folder: Path, reference: Reference) -> Path:
    """The file or folder that is imported."""
    return (folder / reference.place).absolute()


def key(folder: Path, reference: Reference) -> str | None:
    """What an import depends on: the path, and what shows that it was written since; None when it is not there."""
    path = source(folder, reference)
    try:
        seen = (path / "index.json" if reference.kind is Form.OCI else path).stat()
    except OSError:
        return None
    return json.dumps([reference.kind, str(path.resolve()), reference.tag, seen.st_size, seen.st_mtime_ns, seen.st_ino])


def known(cache: Cache, folder: Path, reference: Reference) -> Digest | None:
    """What the same file gave before."""
    found = key(folder, reference)
    return None if found is None else cache.recall(Kind.IMPORT, found)


def make(
    cache: Cache, folder: Path, reference: Reference, where: str, stop: threading.Event
) -> tuple[Digest, tuple[str, ...]]:
    """Import it; its digest and the names that the archive gives it. Raises Problems, and process.Cancelled."""
    identity = key(folder, reference)
    path = source(folder, reference)
    if identity is None:
        raise Problems(Problem(where, f"{path} is not there", fix="Paths are relative to the manifest's folder."))
    process.require(("skopeo",), where)
    cache.room(where)
    place = f"{reference.kind}:{path}" + (f":{reference.tag}" if reference.tag else "")
    try:
        with cache.work() as work:
            (work / "policy.json").write_text(json.dumps(build.POLICY))
            target = work / "layout"
            # With blobs of its own: skopeo 1.9 takes an uncompressed layer that is there already for a compressed one.
            cache.prepare_layout(target, shared=False)
            argv = [
                "skopeo",
                "--policy",
                str(work / "policy.json"),
                "copy",
                "--quiet",
            ]
            ran = process.run(
                [*argv, place, f"oci:{target.name}:{TAG}"], where=where, limit_s=LIMIT_S, stop=stop, disk=work, cwd=work
            )
            if ran.code != 0:
                if any(OTHER_ARCHITECTURE in line for line in ran.said):
                    why = f"skopeo says: {ran.said[-1]}"
                    raise Problems(
                        Problem(
                            where, f"{path} holds no image for this machine", why, "Build it for this architecture."
                        )
                    )
                fix = "An archive with several images needs a tag: docker-archive:FILE:NAME:TAG."
                raise Problems(ran.problem(where, f"{path} cannot be imported", fix, work))
            digest = cache.adopt(target)
            names = _names(reference, path, stop, where, work)
    except (OSError, ValueError, KeyError) as error:
        raise Problems(Problem(where, f"{path} cannot be imported", str(error), "Look at the file.")) from error
    cache.remember(Kind.IMPORT, identity, digest)
    return digest, names


def _names(reference: Reference, path: Path, stop: threading.Event, where: str, work: Path) -> tuple[str, ...]:
    """By which names the image is known from now on: the tag asked for, or the only one of the archive."""
    if reference.tag:
        return (named(reference.tag),) if ":" in reference.tag else ()
    if reference.kind is not Form.DOCKER_ARCHIVE:
        return ()
    ran = process.run(
        ["skopeo", "list-tags", f"docker-archive:{path}"], where=where, limit_s=LIMIT_S, stop=stop, disk=work
    )
    try:
        tags = json.loads("\n".join(ran.said))["Tags"]
    except (ValueError, KeyError):
        return ()
    return (named(str(tags[0])),) if len(tags) == 1 else ()
