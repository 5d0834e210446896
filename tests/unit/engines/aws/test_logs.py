"""From when on CloudWatch's lines are looked for, and whose they are."""

from anden.engines.aws import logs
from anden.engines.aws.logs import BACK_S, beginnings
from anden.model.log import LogLine

NOW = 2_000_000_000.0


def test_it_is_looked_further_and_further_back() -> None:
    assert beginnings(NOW, None) == [NOW - back_s for back_s in BACK_S]


def test_and_never_before_what_is_asked_for() -> None:
    assert beginnings(NOW, NOW - 700) == [NOW - 60, NOW - 600, NOW - 700]
    assert beginnings(NOW, NOW - 5) == [NOW - 5]
    assert beginnings(NOW, NOW + 5) == [NOW + 5]


def test_what_is_asked_for_may_be_longer_ago_than_is_looked_by_itself() -> None:
    assert beginnings(NOW, NOW - 90 * 86_400)[-1] == NOW - 90 * 86_400


def test_the_gateway_is_asked_for_by_name() -> None:
    groups = {name: f"/anden/bank/dev/{name}" for name in ("accounts", "gateway")}
    assert logs._wanted(groups, None) == ["/anden/bank/dev/accounts"]
    assert logs._wanted(groups, "gateway") == ["/anden/bank/dev/gateway"]
    event = {"timestamp": 1500, "logStreamName": "abc_def", "message": '{"status":"200"}\n'}
    assert logs._line(groups["gateway"], event) == LogLine(1.5, "gateway", "stdout", '{"status":"200"}')
