"""LocalImages: what control and the local engine ask of images."""

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from anden.engines.local.images import build, carry, foundation, imports, process, reference, unpack
from anden.engines.local.images.cache import Cache, Kind
from anden.engines.local.images.reference import Kind as Form
from anden.engines.local.images.reference import Reference
from anden.model.event import Event, EventKind
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.ports import Clock, Registry, Stop
from anden.model.problem import Problem, Problems
from anden.model.topology import ImageSource

AT_ONCE = 4
"""Builds and imports at the same time, or as many as the machine has processors."""
BASE = "base image"
SHORT_DIGITS = 8
"""A build is known as SERVICE:DIGITS, the digits that a table shows of it."""
POLL_S = 0.2
Progress = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to build or import, for all the services that ask for the same."""

    services: tuple[str, ...]
    said: str
    where: str
    reference: Reference | None = None
    recipe: build.Recipe | None = None


class LocalImages:
    """Implements model.ports.Images over a cache on disk that every client of this machine shares.

    `images` is made when something is first built, imported or unpacked. Safe for several threads and processes.
    """

    def __init__(self, images: Path, clock: Clock) -> None:
        self._images = images.absolute()
        self._clock = clock
        self._cache = Cache(self._images, clock)

    def rootfs(self, digest: Digest) -> Path:
        """The image's unpacked files, below the cache; unpacked once, 0.5 s for anden's base. Owners are mapped by
        idmap. Raises Problems: the image is not here, is damaged, the disk is full, this is not root."""
        target = self._cache.rootfs(digest)
        if target.is_dir():
            return target
        self._begin()
        return unpack.make(self._cache, digest, threading.Event())

    def holds(self, digest: Digest) -> bool:
        """Whether the image is complete here."""
        return self._cache.has(digest)

    def carry(self, digest: Digest, repository: str, to: Registry, stop: Stop) -> None:
        """See model.ports.Carrier."""
        self._begin()
        try:
            carry.make(self._cache, digest, repository, to, stop)
        except process.Cancelled as cancelled:
            what, fix = "was cut off", "Run the same command again: layers that arrived stay."
            raise Problems(Problem(f"image {repository}", what, "nobody waits for it any more", fix)) from cancelled

    def presume(self, folder: Path, sources: Mapping[str, ImageSource]) -> Mapping[str, Image]:
        """What is known at once. A digest of an unknown image is made from its name or its build context."""
        return {service: self._presumed(folder, source) for service, source in sources.items()}

    def presumed(self, image: Image) -> bool:
        """Whether the digest of what `presume` gave is made up: neither is it said by name, nor the image here."""
        return image.digest not in image.name and not self._cache.has(image.digest)

    def _presumed(self, folder: Path, source: ImageSource) -> Image:
        seed = said = str(source)
        try:
            work = self._read(folder, "", source)
            if work.recipe is not None:
                seed = f"{work.said} {work.recipe.key(None)}"
            if (digest := self._known(folder, work)) is not None:
                return self._cache.image(digest, work.said)
            if work.reference is not None and work.reference.digest is not None:
                return Image(work.said, work.reference.digest, foundation.architecture())
        except (Problems, OSError):
            pass
        name = source.image if source.image is not None else f"build:{source.build}"
        presumed = Digest("sha256:" + hashlib.sha256(f"presumed {seed}".encode()).hexdigest())
        return Image(name or said, presumed, foundation.architecture())

    def resolve(self, folder: Path, sources: Mapping[str, ImageSource]) -> Iterator[Event | tuple[str, Image]]:
        """Known images at once, the rest as they are built or imported. Raises Problems with all that is wrong."""
        problems: list[Problem] = []
        todo: dict[str, Work] = {}
        for service, source in sorted(sources.items()):
            try:
                work = self._read(folder, service, source)
                digest = self._known(folder, work)
                if digest is not None:
                    yield service, self._fitting(digest, work)
                elif work.reference is not None and work.reference.kind in {Form.NAMED, Form.PINNED}:
                    problems.append(_missing(work))
                else:
                    same = todo.get(str(source))
                    todo[str(source)] = work if same is None else _joined(same, service)
            except Problems as found:
                problems.extend(found.problems)
        if problems:  # nothing is built for a manifest that cannot come up
            raise Problems(problems)
        if todo:
            yield from self._make(folder, list(todo.values()))

    def _read(self, folder: Path, service: str, source: ImageSource) -> Work:
        """What is asked for. Raises Problems."""
        where = f"services/{service}/" + ("image" if source.image is not None else "build")
        asked = None if source.image is None else reference.parse(source.image, where)
        if asked is None or asked.kind is Form.BUILD:
            path = str(source.build) if asked is None else asked.place
            return Work((service,), f"build:{path}", where, recipe=build.read((folder / path).absolute(), where))
        return Work((service,), asked.said, where, asked)

    def _known(self, folder: Path, work: Work) -> Digest | None:
        """The image, when it is in the cache already."""
        if work.recipe is not None:
            return build.known(self._cache, work.recipe, foundation.known(self._cache))
        asked = work.reference
        if asked is None:
            return None
        if asked.digest is not None:
            return asked.digest if self._cache.has(asked.digest) else None
        if asked.kind is Form.NAMED:
            return self._cache.recall(Kind.NAME, asked.place)
        return imports.known(self._cache, folder, asked)

    def _fitting(self, digest: Digest, work: Work) -> Image:
        """The image, if this machine can run it. Raises Problems."""
        image = self._cache.image(digest, work.said)
        here = foundation.architecture()
        if image.architecture != here:
            what = f"{work.said} is built for {image.architecture}, this machine is {here}"
            why = "a cell runs what its processor understands"
            raise Problems(Problem(work.where, what, why, f"Build it for {here}."))
        return image

    def _begin(self) -> None:
        try:
            self._cache.make()
            self._cache.sweep()
        except OSError as error:
            why = f"{error.strerror or error}"
            fix = "Run the command with sudo, or choose another folder with ANDEN_STATE."
            raise Problems(Problem(f"image cache {self._images}", "cannot be written", why, fix)) from error

    def _make(self, folder: Path, todo: list[Work]) -> Iterator[Event | tuple[str, Image]]:
        """Build and import, several at a time; events come as things happen."""
        self._begin()
        stop = threading.Event()
        told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        problems: list[Problem] = []
        pool = ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1), "images")
        try:
            base = pool.submit(self._foundation, todo, told.put, stop)
            started = {pool.submit(self._one, folder, work, base, told.put, stop): work for work in todo}
            while not all(each.done() for each in started) or not told.empty():
                try:
                    yield told.get(timeout=POLL_S)
                except queue.Empty:
                    continue
            for each, work in started.items():
                try:
                    digest = each.result()
                    yield from ((service, self._fitting(digest, work)) for service in work.services)
                except Problems as found:
                    problems.extend(problem for problem in found.problems if problem not in problems)
        finally:
            stop.set()  # for a caller who left: what runs is ended
            pool.shutdown(cancel_futures=True)
        if problems:
            raise Problems(problems)

    def _foundation(self, todo: list[Work], tell: Progress, stop: threading.Event) -> Digest | None:
        """The base that the builds share, if any of them stands on it."""
        if not any(work.recipe is not None and work.recipe.wants_base for work in todo):
            return None
        if (found := foundation.known(self._cache)) is not None:
            return found
        began = self._clock.monotonic()
        tell(Event(EventKind.STEP, BASE, f"made from {foundation.codename()}'s packages, once for this machine"))
        digest = foundation.make(self._cache, stop)
        tell(_done(BASE, f"Python on {foundation.codename()}", self._clock.monotonic() - began))
        return digest

    def _one(
        self, folder: Path, work: Work, base: "Future[Digest | None]", tell: Progress, stop: threading.Event
    ) -> Digest:
        """Build or import one. Raises Problems."""
        subject = ", ".join(work.services)
        if work.reference is not None:
            began = self._clock.monotonic()
            digest, names = imports.make(self._cache, folder, work.reference, work.where, stop)
            self._fitting(digest, work)
            for name in names:
                if self._cache.remember(Kind.NAME, name, digest) != digest:
                    text = f"{name} names another image already, and names do not move: this one is {digest}"
                    tell(Event(EventKind.NOTE, subject, text, "!"))
            tell(_done(subject, f"imported {work.said}", self._clock.monotonic() - began))
            return digest
        if work.recipe is None:
            raise ValueError(f"{work.said} is neither built nor imported")
        found = base.result()
        began = self._clock.monotonic()
        digest = build.make(self._cache, work.recipe, found, work.where, stop)
        short = digest.removeprefix("sha256:")[:SHORT_DIGITS]
        for service in work.services:
            self._cache.remember(Kind.NAME, f"{service}:{short}", digest)
        tell(_done(subject, f"built {work.said.removeprefix('build:')}", self._clock.monotonic() - began))
        return digest


def _done(subject: str, text: str, took_s: float) -> Event:
    return Event(EventKind.STEP, subject, text, "✓", took_s)


def _joined(work: Work, service: str) -> Work:
    return Work((*work.services, service), work.said, work.where, work.reference, work.recipe)


def _missing(work: Work) -> Problem:
    why = "an image becomes known here by a build or an import; anden pulls nothing from public registries yet"
    fix = f"Build it, or import it: {reference.FORMS}."
    return Problem(work.where, f"{work.said} is not in the image cache of this machine", why, fix)
