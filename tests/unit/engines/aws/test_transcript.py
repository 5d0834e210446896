"""What comes back from a session, in pieces of any size; and the line that is sent, run by this machine's shell."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anden.engines.aws.transcript import Transcript, line

MARK = "0123456789abcdef"
BEFORE = b"\r\nStarting session with SessionId: ecs-execute-command-1\r\n"
AFTER = b"\r\n\r\nExiting session with sessionId: ecs-execute-command-1.\r\n"


def came(output: bytes, code: int) -> bytes:
    """As a terminal gives it."""
    plain = f"{MARK}\n".encode() + output + f"\n{MARK} {code}\n".encode()
    return BEFORE + plain.replace(b"\n", b"\r\n") + AFTER


def heard(data: bytes, sizes: list[int], most: int = 1 << 20) -> Transcript:
    found, at = Transcript(MARK, most), 0
    for size in [*sizes, len(data)]:
        found.add(data[at : at + size])
        at += size
    return found


OUTPUT = st.binary(max_size=300).filter(lambda data: b"\r" not in data and MARK.encode() not in data)


@given(OUTPUT, st.integers(0, 255), st.lists(st.integers(1, 40), max_size=30))
def test_output_and_code_come_out_however_it_is_cut_into_pieces(output: bytes, code: int, sizes: list[int]) -> None:
    found = heard(came(output, code), sizes)
    assert (found.code, found.cut) == (code, False)
    assert found.text() == output.decode(errors="replace")
    assert "Starting session" in found.before()


def test_what_is_more_than_is_kept_is_left_out_and_its_code_is_not() -> None:
    found = heard(came(b"x" * 5000, 3), [7] * 900, most=100)
    assert (found.code, found.cut, found.text()) == (3, True, "x" * 100)


def test_without_an_end_there_is_no_code_and_all_that_came() -> None:
    found = heard(came(b"half of it", 0).partition(b"\r\n" + MARK.encode() + b" ")[0], [])
    assert (found.began, found.code, found.text()) == (True, None, "half of it")


def test_without_a_beginning_there_is_what_was_said_instead() -> None:
    found = heard(b"Unable to start command\r\n", [])
    assert (found.began, found.code, found.text()) == (False, None, "")
    assert found.before() == "Unable to start command\n"


@pytest.mark.parametrize("mark", ["short", "0123456789-abcdef", ""])
def test_a_mark_is_long_and_plain(mark: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        Transcript(mark)


@pytest.mark.parametrize(
    ("argv", "code", "wrote"),
    [
        (["echo", "it's", "$HOME", '"', "a b", "\\"], 0, "it's $HOME \" a b \\\n"),
        (["sh", "-c", "exit 7"], 7, ""),
        (["cat"], 0, ""),  # its stdin is empty, and it does not wait for a key
        (["sh", "-c", "printf no-line-end"], 0, "no-line-end"),
        (["sh", "-c", "kill -9 $$"], 137, None),
        (["no-such-program"], 127, None),
        (["sh", "-c", "tr '\\0' ' ' < /proc/$PPID/cmdline; exit 5"], 5, None),  # the line itself is no mark
    ],
)
def test_the_line_runs_what_it_is_given_and_says_how_it_ended(argv: list[str], code: int, wrote: str | None) -> None:
    sent = shlex.split(line(argv, MARK))
    done = subprocess.run(sent, input=b"\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    found = heard(done.stdout, [])
    assert found.code == code
    assert wrote is None or found.text() == wrote


def test_the_mark_stands_nowhere_in_the_line() -> None:
    assert MARK not in line(["ls"], MARK)
