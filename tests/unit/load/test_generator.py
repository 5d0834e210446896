"""The generator against real servers that stall, fail and hang up."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.load.stalling import Server, serving

from anden.load.generator import SPREAD, Generator, Where, split
from anden.load.line import Began, Ended, Line, read
from anden.load.schedule import Schedule
from anden.model.histogram import Histogram
from anden.model.traffic import Tally

ROOT = Path(__file__).parents[3]


class Total:
    """Everything that a load told."""

    def __init__(self) -> None:
        self.tallies: list[Tally] = []
        self.most_open = 0

    def tell(self, tally: Tally) -> bool:
        self.tallies.append(tally)
        return True

    def of(self, name: str) -> int:
        return sum(getattr(each, name) for each in self.tallies)

    @property
    def kinds(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in self.tallies:
            found.update(each.kinds)
        return found

    @property
    def latency(self) -> Histogram:
        found = Histogram()
        for each in self.tallies:
            found.add(each.latency)
        return found


def load(port: int, rate: float, for_s: float, *, timeout_s: float = 30.0, most: int = 64, retry: bool = True) -> Total:
    total = Total()
    where = Where("127.0.0.1", port, ("/a", "/b"))
    made = Generator(where, Schedule(rate, for_s), total.tell, timeout_s=timeout_s, most=most, retry=retry)
    assert made.run() == "all were sent"
    assert made.most_open <= most
    total.most_open = made.most_open
    assert total.of("sent") == total.of("answered") + total.of("failed_after_retry")
    return total


def test_every_request_is_sent_once_and_paths_take_turns() -> None:
    with serving(Server()) as server:
        total = load(server.port, 200, 0.5)
    assert total.of("sent") == total.of("answered") == 100
    assert total.of("failed") == 0
    assert Counter(server.asked) == {b"/a": 50, b"/b": 50}
    # SPREAD are opened first, further ones only where so many requests are under way, and all of them are kept.
    assert server.connections == total.most_open >= SPREAD


def test_a_stall_is_latency_of_everything_that_was_due_meanwhile() -> None:
    """The heart of it: requests go on being sent, and wait from their own time on."""
    stall_s, rate = 0.6, 100
    server = Server()
    with serving(server):
        now = time.monotonic()
        server.stall = (now + 0.3, now + 0.3 + stall_s)
        total = load(server.port, rate, 1.4, most=128)
    assert total.of("sent") == total.of("answered") == 140
    # Due evenly within the stall, they waited evenly between all of it and nothing: a closed loop of as many
    # connections would have seen a handful of slow ones.
    slow = sum(count for bucket, count in total.latency.counts.items() if bucket >= _bucket(0.3))
    assert slow >= 0.8 * rate * (stall_s - 0.3)
    longest = total.latency.percentile(100)
    assert longest is not None
    assert longest >= 0.9 * stall_s * 1e6


def test_without_a_free_connection_requests_wait_and_that_is_latency_too() -> None:
    server = Server()
    with serving(server):
        now = time.monotonic()
        server.stall = (now, now + 0.5)
        total = load(server.port, 100, 0.4, most=4)
    assert total.of("sent") == total.of("answered") == 40
    median = total.latency.percentile(50)
    assert median is not None
    assert median >= 200_000
    assert max(each.waiting for each in total.tallies) >= 30


def _bucket(seconds: float) -> int:
    from anden.model.histogram import bucket_of

    return bucket_of(round(seconds * 1e6))


def test_a_failure_is_tried_once_more_on_a_new_connection() -> None:
    with serving(Server(bad=range(20, 25))) as server:
        total = load(server.port, 200, 0.5)
    assert total.of("failed") == 5
    assert total.of("failed_after_retry") == 0
    assert total.kinds == {"HTTP 503": 5}
    assert SPREAD + 5 <= server.connections <= total.most_open + 5


def test_what_is_hung_up_on_is_a_failure_with_its_own_name() -> None:
    with serving(Server(hang_up=range(20, 23))) as server:
        total = load(server.port, 200, 0.5)
    assert total.kinds == {"closed without an answer": 3}
    assert total.of("failed_after_retry") == 0


def test_both_attempts_may_fail() -> None:
    with serving(Server(always_bad=True)) as server:
        total = load(server.port, 100, 0.3)
    assert total.of("failed") == total.of("failed_after_retry") == 30
    assert total.of("answered") == 0
    assert len(server.asked) == 60


def test_without_a_retry() -> None:
    with serving(Server(always_bad=True)) as server:
        total = load(server.port, 100, 0.3, retry=False)
    assert total.of("failed") == total.of("failed_after_retry") == len(server.asked) == 30


def test_a_timeout_is_each_attempts_own() -> None:
    server = Server()
    with serving(server):
        server.stall = (0.0, time.monotonic() + 30)
        began = time.monotonic()
        total = load(server.port, 50, 0.2, timeout_s=0.3)
        took = time.monotonic() - began
    assert total.kinds == {"timeout": 10}
    assert total.of("failed_after_retry") == 10
    assert took >= 0.6


def test_requests_that_never_got_a_connection_say_so() -> None:
    server = Server()
    with serving(server):
        server.stall = (0.0, time.monotonic() + 30)
        total = load(server.port, 50, 0.2, timeout_s=0.4, most=2)
    assert total.of("failed_after_retry") == 10
    assert total.kinds["timeout"] == 2
    assert total.kinds["no connection was free"] == 8


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        total = load(taken.getsockname()[1], 100, 0.2)
    assert total.kinds == {"refused": 20}
    assert total.of("failed_after_retry") == 20


@pytest.mark.parametrize(
    "urls", [[], ["https://a/"], ["http://a/", "http://b/"], ["http:///x"], ["http://a/ b"], ["http://a/\r\nX: y"]]
)
def test_what_cannot_be_asked_for(urls: list[str]) -> None:
    with pytest.raises(ValueError, match=r"asked|written"):
        split([url.replace("\r\n", "\x01") for url in urls])


def test_addresses_of_one_host() -> None:
    assert split(["http://h:81/a", "http://h:81/b?c=d", "http://h:81"]) == Where("h", 81, ("/a", "/b?c=d", "/"))


# As a process of its own.


def start(port: int, *words: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "anden.load", "--url", f"http://127.0.0.1:{port}/", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(argv, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines(text: str) -> list[Line]:
    return [read(each) for each in text.splitlines()]


def test_the_process_tells_lines_and_ends_at_its_bound() -> None:
    with serving(Server()) as server:
        out, err = start(server.port, "--rate", "100", "--for", "0.5", stdin=subprocess.DEVNULL).communicate(timeout=30)
    first, *middle, last = lines(out)
    assert isinstance(first, Began), err
    assert (first.rate, first.count) == (100, 50)
    assert last == Ended("all were sent", SPREAD)
    assert sum(each.sent for each in middle if isinstance(each, Tally)) == 50
    assert len(middle) >= 4


def test_the_process_stops_when_its_stdin_ends_and_finishes_what_is_under_way() -> None:
    with serving(Server()) as server:
        running = start(server.port, "--rate", "100", "--for", "600")
        assert running.stdout is not None
        assert running.stdin is not None
        running.stdout.readline()
        time.sleep(0.4)
        running.stdin.close()
        running.stdin = None
        out, _ = running.communicate(timeout=30)
    last = lines(out)[-1]
    assert isinstance(last, Ended)
    assert last.why == "it was stopped"
    assert running.returncode == 0


def test_the_process_ends_when_its_reader_leaves() -> None:
    with serving(Server()) as server:
        running = start(server.port, "--rate", "100", "--for", "600")
        assert running.stdout is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(30) == 0
        assert running.stderr is not None
        assert running.stderr.read() == ""
        running.stderr.close()


def test_the_process_ends_with_its_parent() -> None:
    """A parent that is killed closes nothing by itself but what it alone holds: stdin's other end."""
    with serving(Server()) as server:
        words = f"--url http://127.0.0.1:{server.port}/ --rate 50 --for 600".split()
        script = (
            "import subprocess, sys, time\n"
            f"p = subprocess.Popen([sys.executable, '-m', 'anden.load', *{words!r}], stdin=subprocess.PIPE,"
            " stdout=subprocess.DEVNULL)\nprint(p.pid, flush=True)\ntime.sleep(600)\n"
        )
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        parent = subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        deadline = time.monotonic() + 20
        while len(server.asked) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        parent.stdout.close()
        while _runs(child):
            assert time.monotonic() < deadline, "the load outlived its parent"
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "words", [("--rate", "0", "--for", "1"), ("--rate", "1", "--for", "1", "--timeout", "0"), ("--rate", "1")]
)
def test_words_that_make_no_load(words: tuple[str, ...]) -> None:
    running = start(1, *words)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 2
    assert "error" in err
