"""Builds a folder with a Containerfile: buildah, chroot isolation, nothing pulled."""

import hashlib
import json
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from anden.engines.local.images import containerfile, context, foundation, process
from anden.engines.local.images.cache import TAG, Cache, Kind
from anden.model.ids import Digest
from anden.model.problem import Problem, Problems

RECIPE = 1
"""Part of a build's key: raise it when what buildah is told changes what comes out."""
LIMIT_S = 600.0
MOST_STORED = 200
"""Images and containers in buildah's storage before it is emptied: it only makes the next build faster."""
POLICY = {
    "default": [{"type": "reject"}],
    "transports": {
        kind: {"": [{"type": "insecureAcceptAnything"}]}
        for kind in ("oci", "oci-archive", "docker-archive", "containers-storage")
    },
}
"""Nothing from a registry, whatever a Containerfile's reading missed. Local files need no signature here."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A build before its base is known."""

    context: context.Context
    wants_base: bool
    digest: str

    def key(self, base: Digest | None) -> str:
        """What the result depends on."""
        parts = [self.digest, base or "", foundation.architecture(), RECIPE]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read(folder: Path, where: str) -> Recipe:
    """The recipe that lies in a folder. Raises Problems."""
    found = context.find(folder, where)
    asked = containerfile.bases(found.text)
    file = folder / found.containerfile
    problems = [
        Problem(
            where,
            f"{file}:{outside.line} stands on {outside.image}, which would have to be pulled",
            "anden pulls nothing from public registries yet",
            "Write `ARG BASE` and `FROM ${BASE}` for anden's Python base, or FROM scratch; or build it elsewhere and "
            "give it as image: docker-archive:FILE.",
        )
        for outside in asked.outside
    ]
    if not asked.stages and not problems:
        problems = [Problem(where, f"{file} has no FROM", "a build stands on something", "Begin with FROM.")]
    if problems:
        raise Problems(problems)
    return Recipe(found, asked.wants_base, context.digest(found, where))


def known(cache: Cache, recipe: Recipe, base: Digest | None) -> Digest | None:
    """What was built from the same before."""
    if recipe.wants_base and base is None:
        return None
    return cache.recall(Kind.BUILD, recipe.key(base if recipe.wants_base else None))


def make(cache: Cache, recipe: Recipe, base: Digest | None, where: str, stop: threading.Event) -> Digest:
    """Build it, if nobody did meanwhile. Raises Problems, and process.Cancelled."""
    base = base if recipe.wants_base else None
    with cache.lock(f"build-{recipe.key(base)[:16]}"):
        if (found := cache.recall(Kind.BUILD, recipe.key(base))) is not None:
            return found
        process.require(("buildah",), where)
        cache.room(where)
        _bound_storage(cache)
        with cache.lock("storage", shared=True), cache.work() as work:
            copy = work / "context"
            copy.mkdir()
            # Edited since it was read: then this is what is built, and what it is remembered by.
            exact = Recipe(recipe.context, recipe.wants_base, context.digest(recipe.context, where, copy))
            try:
                digest = _build(cache, exact, base, where, stop, work)
            except OSError as error:
                raise Problems(Problem(where, "cannot be built", str(error), "Look at the disk.")) from error
        return cache.remember(Kind.BUILD, exact.key(base), digest)


def _build(cache: Cache, recipe: Recipe, base: Digest | None, where: str, stop: threading.Event, work: Path) -> Digest:
    buildah = _buildah(cache, work)
    identity = work / "id"
    argument = []
    if base is not None:
        # buildah makes a name of the path, and a name has no spaces, capitals or colons: a short one, from within.
        link = f"base-{base.removeprefix('sha256:')}"
        (work / link).symlink_to(cache.layout(base))
        argument = ["--build-arg", f"{containerfile.BASE}=oci:{link}:{TAG}"]
    # --timestamp: the same context gives the same digest, whenever and wherever it is built.
    options = ["--isolation", "chroot", "--layers", "--force-rm", "--timestamp", "0", "--iidfile", str(identity)]
    policy = ["--signature-policy", str(work / "policy.json")]
    file = f"context/{recipe.context.containerfile}"
    argv = [*buildah, "bud", *options, *policy, *argument, "-f", file, "context"]
    ran = process.run(argv, where=where, limit_s=LIMIT_S, stop=stop, disk=work, cwd=work)
    if ran.code != 0:
        fix = f"Mend {recipe.context.folder / recipe.context.containerfile}."
        raise Problems(ran.problem(where, f"the build of {recipe.context.folder} failed", fix, work))
    folder = work / "layout"
    cache.prepare_layout(folder)
    argv = [
        *buildah,
        "push",
        *policy,
        "--quiet",
        "--disable-compression",
        identity.read_text().strip(),
        f"oci:{folder.name}:{TAG}",
    ]
    ran = process.run(argv, where=where, limit_s=LIMIT_S, stop=stop, disk=work, cwd=work)
    if ran.code != 0:
        raise Problems(ran.problem(where, "the image that was built could not be kept", "Look at the disk.", work))
    return cache.adopt(folder)


def _buildah(cache: Cache, work: Path) -> list[str]:
    (work / "policy.json").write_text(json.dumps(POLICY))
    (work / "registries.conf").write_text("")
    driver = "overlay" if _overlay(work) else "vfs"
    storage = cache.storage / driver
    storage.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        "buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", driver,
        "--registries-conf", str(work / "registries.conf"),
    ]  # fmt: skip


def _overlay(work: Path) -> bool:
    """Whether an overlay can be mounted over this file system. Overlay builds in 0.2 s where vfs takes 1.2."""
    tree = work / "overlay"
    for name in ("lower", "upper", "work", "at"):
        (tree / name).mkdir(parents=True)
    options = "lowerdir=lower,upperdir=upper,workdir=work"
    argv = ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, "at"]
    tried = subprocess.run(argv, cwd=tree, capture_output=True, check=False, timeout=10)
    return tried.returncode == 0


def _bound_storage(cache: Cache) -> None:
    """Empty buildah's storage when it has grown past MOST_STORED; never while somebody builds."""
    count = 0
    for file in [
        *cache.storage.glob("*/root/*-images/images.json"),
        *cache.storage.glob("*/root/*-containers/containers.json"),
    ]:
        try:
            count += len(json.loads(file.read_bytes()))
        except (OSError, ValueError):
            count += MOST_STORED  # what cannot be read cannot be used either
    if count > MOST_STORED:
        with cache.lock("storage"):
            shutil.rmtree(cache.storage, ignore_errors=True)
