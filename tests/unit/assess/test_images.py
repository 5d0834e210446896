"""What is said of images that run, by the verdict of their scan."""

from anden.assess.images import assess
from anden.model.finding import Severity
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.image import ImageSeen, Scan, Verdict
from anden.model.observation import Observation

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
DIGEST = Digest("sha256:" + "1" * 64)


def said(scan: Scan | None) -> list[tuple[Severity, str, str]]:
    seen = Observation(KEY, 1_000.0, present=True, images=(ImageSeen("banco/dev/web", DIGEST, scan),))
    return [(each.severity, each.subject, each.text) for each in assess(seen)]


def test_what_was_found_is_said_by_severity_the_gravest_first() -> None:
    counts = {"LOW": 4, "OF_ITS_OWN": 1, "CRITICAL": 2, "HIGH": 3}
    text = "the registry's scan found 2 critical, 3 high, 4 low, 1 of_its_own"
    assert said(Scan(Verdict.FOUND, counts)) == [(Severity.WARNING, "image web@11111111", text)]
    assert said(Scan(Verdict.FOUND, {"LOW": 1}))[0][0] is Severity.NOTE


def test_no_verdict_is_said_too_and_a_clean_image_is_not() -> None:
    subject = "image web@11111111"
    assert said(Scan(Verdict.PENDING)) == [(Severity.NOTE, subject, "the registry has not scanned it yet")]
    text = "no scan says anything of it: the scan failed"
    assert said(Scan(Verdict.NONE, why="the scan failed")) == [(Severity.NOTE, subject, text)]
    assert said(Scan(Verdict.CLEAN)) == said(None) == []
