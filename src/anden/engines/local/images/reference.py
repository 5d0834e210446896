"""What an `image:` of a manifest may say. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

from anden.model.ids import Digest
from anden.model.problem import Problem, Problems

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"(?:[a-z0-9][a-z0-9.-]*(?::\d+)?/)?[a-z0-9][a-z0-9._/-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?")
"""A repository, perhaps after a registry's host and port, perhaps with a tag (of 128 characters at most, says OCI)."""
DEFAULT_TAG = "latest"
IMPLIED = ("docker.io/library/", "docker.io/")
"""What tools write before the short names of images, whether they come from there or not."""
FORMS = "build: FOLDER, oci:FOLDER:TAG, oci-archive:FILE or docker-archive:FILE"


class Kind(StrEnum):
    """NAMED: a name of the local cache. PINNED: a digest. BUILD: a folder. The rest are skopeo's own words."""

    NAMED = "named"
    PINNED = "pinned"
    BUILD = "build"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"


IMPORTS = frozenset({Kind.OCI, Kind.OCI_ARCHIVE, Kind.DOCKER_ARCHIVE})


@dataclass(frozen=True, slots=True)
class Reference:
    """said: as written. place: the name with its tag, or the path. tag: of an import, '' when none was given."""

    kind: Kind
    said: str
    place: str = ""
    tag: str = ""
    digest: Digest | None = None


def parse(said: str, where: str) -> Reference:
    """What `said` refers to. Raises Problems."""
    head, colon, rest = said.partition(":")
    if colon and head in {Kind.BUILD, *IMPORTS} and rest:
        kind = Kind(head)
        if kind is Kind.BUILD:
            return Reference(kind, said, rest)
        path, _, tag = rest.partition(":")
        return Reference(kind, said, path, tag)
    if DIGEST.fullmatch(said):
        return Reference(Kind.PINNED, said, digest=Digest(said))
    name, at, digest = said.partition("@")
    if at and NAME.fullmatch(name) and DIGEST.fullmatch(digest):
        return Reference(Kind.PINNED, said, name, digest=Digest(digest))
    if at or not NAME.fullmatch(said):
        why = "a name is NAME:TAG or NAME@sha256:…, in small letters"
        raise Problems(Problem(where, f"{said} is not an image", why, f"Or write {FORMS}."))
    return Reference(Kind.NAMED, said, named(said))


def named(name: str) -> str:
    """A name with its tag, as the cache knows it."""
    short = name
    for prefix in IMPLIED:
        short = short.removeprefix(prefix)
    return short if ":" in short.rpartition("/")[2] else f"{short}:{DEFAULT_TAG}"
