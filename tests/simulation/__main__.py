"""`python -m tests.simulation`: replay one seed, or judge many on all processors."""

import argparse
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from os import cpu_count

from tests.simulation.seeds import Sum, live, many

BATCH = 50
DAY_S = 86_400.0
LONGEST_M = 600.0
MOST_NAMED = 20
"""Failing seeds that are named with what is wrong; all of them are counted."""


def main() -> int:
    """0: every history is right. 1: one is not."""
    asked = _parser().parse_args()
    if asked.seed is not None:
        return _one(asked.seed, asked.trace)
    return _all(asked.first, asked.seeds, asked.jobs, asked.minutes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print its history also when all is right")
    parser.add_argument("--seeds", type=int, default=1000, help="judge so many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first one")
    parser.add_argument("--jobs", type=int, default=cpu_count() or 1, help="so many at once")
    parser.add_argument("--minutes", type=float, default=LONGEST_M, help="begin no more seeds after so long")
    return parser


def _one(seed: int, trace: bool) -> int:
    lived = live(seed)
    if trace or lived.wrong:
        print("\n".join(lived.history.lines()))
    for wrong in lived.wrong:
        print(f"✗ {wrong}")
    print(f"seed {seed}: {'✗ wrong' if lived.wrong else '✓ right'}, {_said(lived.sum())}")
    return 1 if lived.wrong else 0


def _all(first: int, count: int, jobs: int, minutes: float) -> int:
    began, total, wrong = time.monotonic(), Sum(), 0
    batches = [(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)]
    with ProcessPoolExecutor(jobs) as pool:
        for each in _lived(pool, batches, jobs, began + minutes * 60.0):
            total += each
            for seed, faults in each.wrong.items():
                wrong += 1
                if wrong <= MOST_NAMED:
                    print(f"✗ seed {seed}: {'; '.join(faults)}", flush=True)
    took = time.monotonic() - began
    print("; ".join(_struck(total.struck)))
    print(f"{total.seeds:,} seeds, {wrong} wrong, {_said(total)}, {took:,.0f} s on {jobs} processors")
    return 1 if wrong else 0


def _lived(pool: ProcessPoolExecutor, batches: Sequence[tuple[int, int]], jobs: int, until: float) -> Iterator[Sum]:
    """Batch after batch, in order, as long as there is time to begin one."""
    under_way: deque[Future[Sum]] = deque()
    for batch in batches:
        if time.monotonic() > until:
            break
        under_way.append(pool.submit(many, *batch))
        if len(under_way) >= 2 * jobs:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _said(total: Sum) -> str:
    return (
        f"{total.commands:,} commands, {total.effects:,} effects, {sum(total.struck.values()):,} faults injected, "
        f"{total.virtual_s / DAY_S:,.2f} simulated days, at most {total.calm_s:.0f} s to come to rest"
    )


def _struck(struck: Counter[str]) -> Iterator[str]:
    return (f"{kind} {count:,}" for kind, count in sorted(struck.items()))


if __name__ == "__main__":
    sys.exit(main())
