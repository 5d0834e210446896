"""A resolved image: the bytes that a name meant at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
