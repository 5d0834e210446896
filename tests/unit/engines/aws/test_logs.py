"""From when on CloudWatch's lines are looked for."""

from anden.engines.aws.logs import BACK_S, beginnings

NOW = 2_000_000_000.0


def test_it_is_looked_further_and_further_back() -> None:
    assert beginnings(NOW, None) == [NOW - back_s for back_s in BACK_S]


def test_and_never_before_what_is_asked_for() -> None:
    assert beginnings(NOW, NOW - 700) == [NOW - 60, NOW - 600, NOW - 700]
    assert beginnings(NOW, NOW - 5) == [NOW - 5]
    assert beginnings(NOW, NOW + 5) == [NOW + 5]


def test_what_is_asked_for_may_be_longer_ago_than_is_looked_by_itself() -> None:
    assert beginnings(NOW, NOW - 90 * 86_400)[-1] == NOW - 90 * 86_400
