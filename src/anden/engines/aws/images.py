"""The account's registry: what lies in it, bringing an image there, and the verdict of its scan.

An image is known by its digest alone. What is there already is not copied again, so that a run which was cut off goes
on from where it ended. The verdict is shown; nothing waits for it longer than SCAN_LIMIT_S.
"""

import base64
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import DENIED, code, explained, message
from anden.engines.aws.session import Session
from anden.model.ids import Digest, EnvironmentKey
from anden.model.image import ImageScan, ImageSeen, ImageWanted, Scan, Verdict
from anden.model.ports import Carrier, Registry
from anden.model.problem import Problem, Problems

LOOK_S, VERDICT_S = 60.0, 600.0
"""For how long a listing, and a verdict that was reached, are taken for true: an observation is made every few seconds,
and a listing asks ECR once a service."""
SCAN_LIMIT_S, SCAN_POLL_S = 30.0, 3.0
"""How long a copy waits for its verdict."""
MOST_ASKED_AT_ONCE = 8
"""Verdicts that a plan asks for at the same time."""
UNDER_WAY = frozenset({"IN_PROGRESS", "PENDING"})
REACHED = frozenset({"COMPLETE", "ACTIVE"})
"""Of basic scanning, and of continuous scanning (ECR API, "ImageScanStatus")."""
WORDS = {
    "UNSUPPORTED_IMAGE": "the scanner does not know its operating system",
    "SCAN_ELIGIBILITY_EXPIRED": "it is older than what is scanned continuously",
    "FINDINGS_UNAVAILABLE": "no findings are to be had",
    "LIMIT_EXCEEDED": "the registry has more images than are scanned",
    "FAILED": "the scan failed",
}  # fmt: skip
Told = Callable[[str, str], None]
"""A text, and its sign."""


class Images:
    """What lies in an environment's repositories, remembered for a while; usable from several threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._listed: dict[EnvironmentKey, tuple[float, tuple[tuple[str, Digest], ...]]] = {}
        self._scans: dict[tuple[str, Digest], tuple[float, Scan]] = {}

    def forget(self, key: EnvironmentKey) -> None:
        """Look anew next time."""
        with self._lock:
            self._listed.pop(key, None)

    def seen(self, session: Session, key: EnvironmentKey, region: str, running: Set[Digest]) -> tuple[ImageSeen, ...]:
        """All of them; those that are running with their verdict. Raises Problems."""
        return tuple(
            ImageSeen(where, digest, self._scan(session, region, where, digest) if digest in running else None)
            for where, digest in self._list(session, key, region)
        )

    def scans(
        self, session: Session, key: EnvironmentKey, region: str, wanted: Sequence[ImageWanted]
    ) -> tuple[ImageScan, ...]:
        """The verdicts on images that are to run; what does not lie there was not scanned yet. Raises Problems."""
        lying = frozenset(self._list(session, key, region))

        def of(image: ImageWanted) -> Scan:
            there = (image.repository, image.digest) in lying
            return self._scan(session, region, image.repository, image.digest) if there else Scan(Verdict.PENDING)

        with ThreadPoolExecutor(MOST_ASKED_AT_ONCE, thread_name_prefix="anden-scan") as pool:
            found = list(pool.map(of, wanted))
        return tuple(
            ImageScan(image.service, image.name, image.digest, scan) for image, scan in zip(wanted, found, strict=True)
        )

    def _list(self, session: Session, key: EnvironmentKey, region: str) -> tuple[tuple[str, Digest], ...]:
        with self._lock:
            at, listed = self._listed.get(key, (0.0, None))
        if listed is None or self._now() - at > LOOK_S:
            listed = tuple(_listing(session, key, region))
            with self._lock:
                self._listed[key] = self._now(), listed
        return listed

    def _scan(self, session: Session, region: str, repository: str, digest: Digest) -> Scan:
        with self._lock:
            at, known = self._scans.get((repository, digest), (0.0, None))
        for_s = LOOK_S if known is not None and known.verdict is Verdict.PENDING else VERDICT_S
        if known is None or self._now() - at > for_s:
            known = scan(session, region, repository, digest)
            with self._lock:
                self._scans[repository, digest] = self._now(), known
        return known


def _listing(session: Session, key: EnvironmentKey, region: str) -> Iterator[tuple[str, Digest]]:
    client, ours = session.client("ecr", region), f"{key.client}/{key.environment}/"
    with explained(f"registry of {key}"):
        names = [
            each["repositoryName"] for page in client.get_paginator("describe_repositories").paginate()
            for each in page["repositories"] if each["repositoryName"].startswith(ours)
        ]  # fmt: skip
        for name in sorted(names):
            for page in client.get_paginator("describe_images").paginate(repositoryName=name):
                yield from sorted((name, Digest(each["imageDigest"])) for each in page["imageDetails"])


def has(session: Session, region: str, repository: str, digest: Digest) -> bool:
    """Whether it lies there. A repository that is not there holds nothing. Raises Problems."""
    with explained(f"image {repository}"):
        try:
            asked = [{"imageDigest": digest}]
            found = session.client("ecr", region).describe_images(repositoryName=repository, imageIds=asked)
        except ClientError as error:
            if code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
                return False
            raise
    return bool(found["imageDetails"])


def require(session: Session, wanted: ImageWanted, carrier: Carrier | None) -> None:
    """Raises Problems: the image is neither on this machine nor in the registry."""
    held = carrier is not None and carrier.holds(wanted.digest)
    if not held and not has(session, wanted.region, wanted.repository, wanted.digest):
        raise Problems(_nowhere(wanted))


def copy(
    session: Session, wanted: ImageWanted, carrier: Carrier | None, tell: Told, stop: threading.Event,
    scan_limit_s: float = SCAN_LIMIT_S,
) -> None:  # fmt: skip
    """Bring it there, unless it is there, and tell the scan's verdict. Raises Problems."""
    if has(session, wanted.region, wanted.repository, wanted.digest):
        tell(f"{wanted.name} is in the account's registry already", "")
        return
    if carrier is None or not carrier.holds(wanted.digest):
        raise Problems(_nowhere(wanted))
    tell(f"{wanted.name} is copied to {wanted.repository}", "…")
    carrier.carry(wanted.digest, wanted.repository, login(session, wanted.region), stop)
    if not has(session, wanted.region, wanted.repository, wanted.digest):
        why = "the copy ended well, and ECR does not list its digest"
        raise Problems(Problem(_where(wanted), "did not arrive", why, "Run the same command again."))
    tell(f"{wanted.digest} arrived", "✓")
    deadline = time.monotonic() + scan_limit_s
    found = scan(session, wanted.region, wanted.repository, wanted.digest)
    while found.verdict is Verdict.PENDING and time.monotonic() < deadline and not stop.wait(SCAN_POLL_S):
        found = scan(session, wanted.region, wanted.repository, wanted.digest)
    tell(f"scan: {said(found)}", "!" if found.verdict is Verdict.FOUND else "")


def login(session: Session, region: str) -> Registry:
    """One for the account's registry, good for 12 hours. Raises Problems."""
    with explained("the account's registry"):
        (given,) = session.client("ecr", region).get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    return Registry(given["proxyEndpoint"], user, password)


def scan(session: Session, region: str, repository: str, digest: Digest) -> Scan:
    """What ECR's scan says now. Raises Problems; that it may not be asked is a verdict, too."""
    with explained(f"scan of {repository}"):
        try:
            found = session.client("ecr", region).describe_image_scan_findings(
                repositoryName=repository, imageId={"imageDigest": digest}, maxResults=1
            )
        except ClientError as error:
            if code(error) in ("ScanNotFoundException", "ImageNotFoundException"):
                return Scan(Verdict.PENDING)
            if code(error) in DENIED:
                return Scan(Verdict.NONE, why=f"these credentials may not read it: {message(error)}")
            raise
    return _judged(found)


def _judged(found: dict[str, Any]) -> Scan:
    status = found.get("imageScanStatus", {})
    word, described = str(status.get("status", "")), str(status.get("description", "")).rstrip(".")
    if word in UNDER_WAY:
        return Scan(Verdict.PENDING)
    if word not in REACHED:
        return Scan(Verdict.NONE, why=": ".join(part for part in (WORDS.get(word, word), described) if part))
    counts = {
        str(severity): int(count)
        for severity, count in found.get("imageScanFindings", {}).get("findingSeverityCounts", {}).items() if count
    }  # fmt: skip
    return Scan(Verdict.FOUND if counts else Verdict.CLEAN, counts)


def said(found: Scan) -> str:
    """`2 critical, 1 low`, or why there is none."""
    match found.verdict:
        case Verdict.FOUND:
            return found.summary
        case Verdict.CLEAN:
            return "nothing was found"
        case Verdict.PENDING:
            return "no verdict yet; `anden status` shows it when there is one"
        case Verdict.NONE:
            return f"no verdict: {found.why}"


def _where(wanted: ImageWanted) -> str:
    return f"image of {wanted.service}"


def _nowhere(wanted: ImageWanted) -> Problem:
    what = f"{wanted.name} ({wanted.digest}) is neither in the account's registry nor in this machine's image cache"
    why = "an image is copied from the machine that has built or imported it"
    return Problem(_where(wanted), what, why, "Run the command on that machine, or build or import the image here.")
