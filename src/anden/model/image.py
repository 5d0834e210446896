"""A resolved image: the bytes that a name meant at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from anden.model.ids import Digest


@dataclass(frozen=True, slots=True)
class Image:
    """An image by digest, with what its configuration says of how to run it.

    name: what people see: the manifest's `image:` as written, or `build:PATH` for a build.
    architecture: in OCI's words (`amd64`, `arm64`).
    entrypoint, command, env, user, workdir: the image's own defaults; a service's fields override them.
    """

    name: str
    digest: Digest
    architecture: str = "amd64"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = "/"

    @property
    def version(self) -> str:
        """What a table shows: the tag (`1.4.2`), or for a build and an untagged name the digest's first digits."""
        last = self.name.rpartition("/")[2]
        if not self.name.startswith("build:") and "@" not in last and ":" in last:
            return last.rpartition(":")[2]
        return self.digest.removeprefix("sha256:")[:8]


@dataclass(frozen=True, slots=True)
class ImageWanted:
    """An image that must lie in the account's registry before what runs it is made.

    service: whose. repository: where in the registry: `banco-andino/production/accounts`. name: what people see.
    after: the family of the stack that makes the repository.
    """

    service: str
    repository: str
    digest: Digest
    name: str
    region: str
    after: str


SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
"""The gravest first (ECR API, "ImageScanFindings"; UNTRIAGED is of continuous scanning)."""


class Verdict(StrEnum):
    """What the registry's scan of an image came to."""

    CLEAN = "clean"
    """Nothing was found."""
    FOUND = "found"
    """Vulnerabilities, counted by severity."""
    PENDING = "not yet"
    """Not scanned yet, or in progress."""
    NONE = "none"
    """The registry cannot say, or may not be asked; `why` says it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """counts: severity in the registry's words (`CRITICAL`) to how many. why: in words, where there is no verdict."""

    verdict: Verdict = Verdict.PENDING
    counts: Mapping[str, int] = field(default_factory=dict)
    why: str = ""

    @property
    def summary(self) -> str:
        """`2 critical, 1 low`: the gravest first."""
        ordered = sorted(
            self.counts, key=lambda each: (SEVERITIES.index(each) if each in SEVERITIES else len(SEVERITIES), each)
        )
        return ", ".join(f"{self.counts[each]} {each.lower()}" for each in ordered)


@dataclass(frozen=True, slots=True)
class ImageScan:
    """What the scan says of an image that a service is to run. name: what people see. PENDING also where the image does
    not lie in the registry yet."""

    service: str
    name: str
    digest: Digest
    scan: Scan


@dataclass(frozen=True, slots=True)
class ImageSeen:
    """An image in the account's registry. scan: None: nobody has asked for its verdict."""

    repository: str
    digest: Digest
    scan: Scan | None = None
