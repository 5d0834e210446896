"""How long to wait before something is started again. Pure; standard library only, for init uses it too."""


def delay(failures: int, first_s: float, limit_s: float) -> float:
    """Seconds before the next start, after `failures` ends in a row: `first_s`, doubling, at most `limit_s`."""
    if failures < 1:
        return 0.0
    # 2.0 ** 1024 overflows; long before that the limit holds.
    return min(first_s * 2.0 ** min(failures - 1, 64), limit_s)


def failures(before: int, lasted_s: float, stable_s: float) -> int:
    """The ends in a row, now that a run that lasted `lasted_s` has ended: one that was stable begins a new row."""
    return 1 if lasted_s >= stable_s else before + 1
