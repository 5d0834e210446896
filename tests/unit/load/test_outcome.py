import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.load import line
from anden.load.outcome import Sums, of_error, of_status
from anden.model.histogram import Histogram
from anden.model.traffic import Tally


@pytest.mark.parametrize(("status", "kind"), [(200, ""), (404, ""), (499, ""), (500, "HTTP 500"), (503, "HTTP 503")])
def test_which_answers_are_failures(status: int, kind: str) -> None:
    assert of_status(status) == kind


def test_unless_told_otherwise() -> None:
    assert of_status(404, 400) == "HTTP 404"
    assert of_status(500, 600) == ""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ECONNREFUSED, "refused"), (errno.ECONNRESET, "reset"), (errno.EPIPE, "reset"),
        (errno.ETIMEDOUT, "timeout"), (errno.EHOSTUNREACH, "no route to host"),
    ],
)  # fmt: skip
def test_what_errors_are_called(code: int, kind: str) -> None:
    import os

    assert of_error(OSError(code, os.strerror(code))) == kind


FATE = st.sampled_from(["good", "retried", "lost", "waits"])


@given(st.lists(st.lists(FATE, max_size=20), min_size=1, max_size=10))
def test_sums_add_up_over_all_that_was_told(seconds: list[list[str]]) -> None:
    sums, told = Sums(), []
    for number, fates in enumerate(seconds):
        for fate in fates:
            sums.sent()
            if fate in ("retried", "lost"):
                sums.failed("HTTP 503")
            if fate in ("good", "retried"):
                sums.answered(0.004)
            if fate == "lost":
                sums.lost()
        told.append(sums.told(float(number)))
    fates = [fate for each in seconds for fate in each]
    assert sum(each.sent for each in told) == len(fates)
    assert sum(each.answered for each in told) == fates.count("good") + fates.count("retried")
    assert sum(each.failed for each in told) == fates.count("retried") + fates.count("lost")
    assert sum(each.failed_after_retry for each in told) == fates.count("lost")
    assert told[-1].waiting == fates.count("waits")
    latency = Histogram()
    for each in told:
        latency.add(each.latency)
    assert latency.total == sum(each.answered for each in told)


COUNT = st.integers(0, 10_000)


@given(
    st.builds(
        Tally, st.integers(0, 36_000).map(lambda n: n / 10), COUNT, COUNT, COUNT, COUNT,
        st.dictionaries(st.sampled_from(["HTTP 503", "reset"]), COUNT), st.dictionaries(COUNT, COUNT), COUNT,
    )
)  # fmt: skip
def test_a_line_is_read_as_it_was_written(tally: Tally) -> None:
    text = line.write(tally)
    assert "\n" not in text
    assert line.read(text) == tally


def test_the_first_and_the_last_line() -> None:
    for each in (line.Began(1.5, 100.0, 300), line.Ended("all were sent", 16)):
        assert line.read(line.write(each)) == each
    with pytest.raises((ValueError, KeyError)):
        line.read("{}")
