"""What an instance may, and what it is given."""

import http.client
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.cell_world import Cell, Size, cell, service

from anden.engines.local.cell import logs as writing
from anden.model.observation import Health
from anden.model.problem import Problems

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bank() -> Iterator[Cell]:
    with cell() as made:
        made.up(service(size=Size(250, 128), writable=("/tmp", "/var/cache/web")))
        yield made


def python(bank: Cell, program: str) -> str:
    return bank.run("/usr/bin/python3", "-c", program).strip()


def fields(status: str) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)


def test_it_is_nobody_special(bank: Cell) -> None:
    assert python(bank, "import os; print(os.getuid(), os.getgid())") == "1000 1000"
    status = dict(
        line.split(":\t", 1)
        for line in python(bank, "print(open('/proc/1/status').read())").splitlines()
        if ":\t" in line
    )
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    outside = fields(Path(f"/proc/{bank.program()}/status").read_text())
    assert outside["Uid"].split()[0] == "101000"


def test_only_what_is_writable_can_be_written(bank: Cell) -> None:
    program = """
import json
found = {}
folders = ("", "/etc", "/usr", "/tmp", "/var/cache/web", "/dev/shm", "/proc/sys/kernel", "/sys")
for path in (folder + "/x" for folder in folders):
    try:
        open(path, "w").write("x"); found[path] = True
    except OSError as error:
        found[path] = False
print(json.dumps(found))
"""
    found = json.loads(python(bank, program))
    assert {path for path, written in found.items() if written} == {"/tmp/x", "/var/cache/web/x", "/dev/shm/x"}
    assert "noexec" in next(
        line for line in python(bank, "print(open('/proc/mounts').read())").splitlines() if " /tmp " in line
    )


def test_the_kernel_refuses_what_it_does_not_need(bank: Cell) -> None:
    program = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name, call in {
    "unshare": lambda: libc.unshare(0x10000000),
    "mount": lambda: libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None),
    "setns": lambda: libc.setns(os.open("/proc/1/ns/net", 0), 0),
    "bpf": lambda: libc.syscall(321, 0, 0, 0),
    "clone": lambda: libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0),
    "keyctl": lambda: libc.syscall(250, 0, 0, 0),
}.items():
    try:
        done = call()
    except OSError:
        done = -1
    print(name, done)
"""
    assert {line.split()[1] for line in python(bank, program).splitlines()} == {"-1"}


def test_no_socket_leads_past_its_network(bank: Cell) -> None:
    """AF_VSOCK, for one, is divided by no namespace: it speaks to the machine that this one runs on."""
    program = """
import socket
for family in range(1, 46):
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind, 0).close()
            print(family)
        except OSError:
            pass
"""
    made = {int(line) for line in python(bank, program).splitlines()}
    assert made <= {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    assert {socket.AF_UNIX, socket.AF_INET} <= made


def test_standard_output_can_be_opened_by_its_name(bank: Cell) -> None:
    """As the images of nginx and others do, for their logs."""
    assert python(bank, "open('/dev/stdout', 'w').write('a'); open('/dev/stderr', 'w').write('b')") == "a"
    bank.get("/by-name/stdout")
    bank.until(
        lambda _: "by name" in [each.text for each in bank.engine.logs(bank.key, "web", 9, follow=False) if each]
    )


def test_names_are_the_cells_own(bank: Cell) -> None:
    assert python(bank, "import socket; print(socket.gethostname())") == "web-1"
    assert "search internal" in python(bank, "print(open('/etc/resolv.conf').read())")
    address = python(bank, "import socket; print(socket.gethostbyname('web'))")
    assert address == python(bank, "import socket; print(socket.gethostbyname('web.internal'))")


def test_it_may_listen_on_any_port(bank: Cell) -> None:
    assert python(bank, "import socket; s = socket.socket(); s.bind(('', 80)); print('yes')") == "yes"


def test_memory_has_an_end_and_it_is_seen(bank: Cell) -> None:
    before = bank.see().restarts
    with pytest.raises((OSError, http.client.HTTPException)):
        bank.get("/eat/256", method="POST")
    seen = bank.until(lambda seen: bool(seen.instances) and seen.instances[0].restarts > before).instances[0]
    assert seen.exit is not None
    assert (seen.exit.code, seen.exit.out_of_memory) == (-9, True)
    bank.until(lambda seen: all(one.serving for one in seen.instances))


def test_cpu_has_an_end(bank: Cell) -> None:
    before, began = bank.see().cpu_seconds, time.monotonic()
    bank.run("/usr/bin/python3", "-c", "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass")
    after, took = bank.see().cpu_seconds, time.monotonic() - began
    assert before is not None
    assert after is not None
    assert 0.15 < (after - before) / took < 0.35  # a quarter of a processor


def test_processes_and_threads_have_an_end(bank: Cell) -> None:
    before = bank.see().restarts
    program = """
import threading
threading.stack_size(65536)
end, began = threading.Event(), 0
try:
    while began < 3000:
        threading.Thread(target=end.wait).start()
        began += 1
except RuntimeError as error:
    pass
end.set()
print(began)
"""
    assert 900 < int(python(bank, program)) < 1024  # PROCESSES, less the server's own and the command's
    assert bank.see().restarts == before


def test_measures_are_there(bank: Cell) -> None:
    seen = bank.see()
    assert seen.memory_bytes is not None
    assert 2 * 2**20 < seen.memory_bytes < 128 * 2**20
    assert (seen.cpu_seconds or 0) > 0


def test_a_command_reads_and_answers(bank: Cell) -> None:
    program = "import sys; d = sys.stdin.buffer.read(); print(len(d)); print('oops', file=sys.stderr); sys.exit(7)"
    done = bank.engine.exec(bank.key, "web-1", ["/usr/bin/python3", "-c", program], b"x" * 300_000, 20.0)
    assert (done.code, done.stdout, done.stderr, done.cut) == (7, "300000\n", "oops\n", False)


def test_a_command_is_bounded_in_time_and_output(bank: Cell) -> None:
    began = time.monotonic()
    late = bank.engine.exec(bank.key, "web-1", ["/usr/bin/python3", "-c", "import time; time.sleep(60)"], b"", 1.0)
    assert (late.code, time.monotonic() - began < 8) == (124, True)
    assert "time.sleep(60)" not in bank.run("/usr/bin/python3", "-c", PROCESSES)
    much = bank.engine.exec(bank.key, "web-1", ["/usr/bin/python3", "-c", "print('x' * 3_000_000)"], b"", 60.0)
    assert (much.code, much.cut, len(much.stdout)) == (0, True, 1024 * 1024)


PROCESSES = """
import os
for pid in os.listdir('/proc'):
    if pid.isdigit() and pid != str(os.getpid()):
        print(open(f'/proc/{pid}/cmdline').read().replace(chr(0), ' '))
"""


def test_a_command_needs_an_instance_and_a_program(bank: Cell) -> None:
    with pytest.raises(Problems, match="no such instance"):
        bank.engine.exec(bank.key, "web-9", ["true"], b"", 5.0)
    done = bank.engine.exec(bank.key, "web-1", ["no-such-program"], b"", 5.0)
    assert done.code != 0
    assert "no-such-program" in done.stderr


def test_logs_have_streams_and_times(bank: Cell) -> None:
    lines = [line for line in bank.engine.logs(bank.key, "web", 1000, follow=False) if line is not None]
    assert ("stdout", "up") in [(line.stream, line.text) for line in lines]
    assert ("stderr", "a word on stderr") in [(line.stream, line.text) for line in lines]
    assert [line.at for line in lines] == sorted(line.at for line in lines)


def test_logs_are_followed(bank: Cell) -> None:
    following = bank.engine.logs(bank.key, "web", 0, follow=True)
    assert next(following) is None  # a beat, for nothing comes
    bank.get("/say/3")
    found: list[str] = []
    began = time.monotonic()
    while len(found) < 3 and time.monotonic() - began < 5:
        line = next(following)
        if line is not None:
            found.append(line.text.split(" x")[0])
    assert found == ["line 0", "line 1", "line 2"]


def test_a_flood_rotates_and_harms_nobody(bank: Cell) -> None:
    (supervisor,) = bank.pids("cell.supervisor")
    for _ in range(3):
        bank.get("/say/60000", timeout_s=60)
        time.sleep(1.0)
    files = sorted(bank.place.logs.glob("web-1.log*"))
    assert 2 <= len(files) <= writing.FILES
    assert all(path.stat().st_size < writing.FILE_BYTES + 2 * 2**20 for path in files)
    resident = next(
        line for line in Path(f"/proc/{supervisor}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    assert int(resident.split()[1]) < 120_000
    assert bank.see().health is Health.HEALTHY
    last = [line for line in bank.engine.logs(bank.key, "web-1", 5, follow=False) if line is not None]
    assert len(last) == 5
    assert bank.get() == "web-1"


def test_output_survives_without_a_supervisor(bank: Cell) -> None:
    before = bank.see().restarts
    (supervisor,) = bank.pids("cell.supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    bank.get("/say/100")
    os.kill(supervisor, signal.SIGKILL)
    bank.until(lambda seen: bool(seen.instances))
    texts = [line.text for line in bank.engine.logs(bank.key, "web-1", 100, follow=False) if line is not None]
    assert sum(text.startswith("line ") for text in texts) >= 99
    assert bank.see().restarts == before
