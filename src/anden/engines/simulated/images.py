"""Images by name only: nothing is fetched or built, and every name means the same bytes for ever."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from anden.model.event import Event
from anden.model.ids import Digest
from anden.model.image import Image
from anden.model.ports import Images
from anden.model.problem import Problem, Problems
from anden.model.topology import ImageSource

MOST_FILES = 10_000
"""Files of a build's folder that its digest looks at."""
MISSING = "missing"
"""A word in an image's name that says that there is no such image, so that it can be tried out."""


class SimulatedImages(Images):
    """See model.ports.Images."""

    def resolve(self, folder: Path, sources: Mapping[str, ImageSource]) -> Iterator[Event | tuple[str, Image]]:
        """`(service, image)` for each, at once. Raises Problems for folders that are not there and missing images."""
        wrong = [problem for name, source in sources.items() if (problem := _wrong(folder, name, source))]
        if wrong:
            raise Problems(wrong)
        yield from self.presume(folder, sources).items()

    def presume(self, folder: Path, sources: Mapping[str, ImageSource]) -> Mapping[str, Image]:
        """The same without complaints."""
        return {name: _image(folder, source) for name, source in sources.items()}


def _wrong(folder: Path, name: str, source: ImageSource) -> Problem | None:
    if source.build is not None and not (folder / source.build).is_dir():
        fix = "Make it, with a Containerfile in it, or name an image."
        return Problem(f"services/{name}/build", f"{source.build} is no folder", f"looked in {folder}", fix)
    if source.image is not None and MISSING in source.image:
        return Problem(f"services/{name}/image", f"there is no image {source.image}", "", "Check its name and tag.")
    return None


def _image(folder: Path, source: ImageSource) -> Image:
    if source.image is not None:
        return Image(source.image, _digest(source.image), command=("serve",))
    name = f"build:{source.build}"
    return Image(name, _digest(name + _contents(folder / str(source.build))), command=("serve",))


def _digest(text: str) -> Digest:
    return Digest("sha256:" + hashlib.sha256(text.encode()).hexdigest())


def _contents(folder: Path) -> str:
    """A digest of a build's folder: editing a file makes another image."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*"))[:MOST_FILES] if folder.is_dir() else []:
        if path.is_file():
            found.update(f"{path.relative_to(folder)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
