"""Carries an image from the cache to a registry, with skopeo: as it is, so that its digest stays."""

import base64
import json
import os
from urllib.parse import urlsplit

from anden.engines.local.images import process
from anden.engines.local.images.build import POLICY
from anden.engines.local.images.cache import TAG, Cache
from anden.model.ids import Digest
from anden.model.ports import Registry, Stop
from anden.model.problem import Problem, Problems

LIMIT_S = 1800.0
"""For one image: 10 GB, the most that ECR takes as a layer in parts, at 6 MB a second."""
TRIES = 3
"""Of skopeo's own, of one request that fails."""
REFUSED = ("unauthorized", "authentication required", "denied", "no basic auth credentials")
ABSENT = ("name unknown", "repository name not known", "does not exist")


def make(cache: Cache, digest: Digest, repository: str, to: Registry, stop: Stop) -> None:
    """Copy it to `repository` of the registry, named by its digest and by no tag: tags there do not move. The login is
    handed over in a file that only root reads, which goes with the work. Raises Problems, and process.Cancelled."""
    parts = urlsplit(to.url)
    place = f"{parts.netloc}/{repository}@{digest}"
    where = f"image {repository}"
    if not cache.has(digest):
        raise Problems(absent(where, digest))
    process.require(("skopeo",), where)
    with cache.work() as work:
        login = base64.b64encode(f"{to.user}:{to.password}".encode()).decode()
        _secret(str(work / "login.json"), json.dumps({"auths": {parts.netloc: {"auth": login}}}))
        (work / "policy.json").write_text(json.dumps(POLICY))
        argv = [
            "skopeo", "--policy", str(work / "policy.json"), "copy", "--quiet", "--preserve-digests",
            "--retry-times", str(TRIES), "--dest-authfile", str(work / "login.json"),
            *(["--dest-tls-verify=false"] if parts.scheme == "http" else []), f"oci:.:{TAG}", f"docker://{place}",
        ]  # fmt: skip
        # From within the layout: a path may have a colon.
        ran = process.run(argv, where=where, limit_s=LIMIT_S, stop=stop, disk=work, cwd=cache.layout(digest))
        if ran.code != 0:
            raise Problems(ran.problem(where, f"cannot be copied to {parts.netloc}", _fix(ran.said), work))


def absent(where: str, digest: Digest) -> Problem:
    """The image is neither here nor there."""
    what = f"{digest} is neither in the account's registry nor in this machine's image cache"
    why = "an image is copied from the machine that has built or imported it"
    return Problem(where, what, why, "Run the command on that machine, or build or import the image here.")


def _fix(said: tuple[str, ...]) -> str:
    text = " ".join(said).lower()
    if any(word in text for word in REFUSED):
        return "Use a role that may push there (docs/aws/images.md), and run the same command again."
    if any(word in text for word in ABSENT):
        return "The stack `data` makes the repository: run the same command again."
    return "Look at the network and any proxy, and run the same command again: layers that arrived stay."


def _secret(path: str, text: str) -> None:
    """A file that is never readable by anybody else, not for a moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
