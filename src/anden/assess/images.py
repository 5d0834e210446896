"""What the registry's scan says of the images that run."""

from collections.abc import Iterator

from anden.model.finding import Finding, Severity
from anden.model.image import ImageSeen, Scan, Verdict
from anden.model.observation import Observation

GRAVE = ("CRITICAL", "HIGH")


def assess(observation: Observation) -> tuple[Finding, ...]:
    """A finding for each image that runs and is not known to be clean; an engine without a registry has none."""
    return tuple(finding for image in observation.images if image.scan for finding in _said(image, image.scan))


def _said(image: ImageSeen, scan: Scan) -> Iterator[Finding]:
    subject = f"image {image.repository.rpartition('/')[2]}@{image.digest.removeprefix('sha256:')[:8]}"
    match scan.verdict:
        case Verdict.FOUND:
            grave = any(scan.counts.get(severity) for severity in GRAVE)
            fix = (
                "Build it on a mended base and deploy that; what was found: `aws ecr describe-image-scan-findings"
                f" --repository-name {image.repository} --image-id imageDigest={image.digest}`."
            )
            text = f"the registry's scan found {scan.summary}"
            yield Finding(Severity.WARNING if grave else Severity.NOTE, subject, text, fix)
        case Verdict.PENDING:
            yield Finding(Severity.NOTE, subject, "the registry has not scanned it yet")
        case Verdict.NONE:
            yield Finding(Severity.NOTE, subject, f"no scan says anything of it: {scan.why}")
        case Verdict.CLEAN:
            pass
