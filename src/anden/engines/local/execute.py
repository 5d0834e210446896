"""Doing what steps say: the keeper for a cell that is not there, the supervisor for everything else."""

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from pathlib import Path

import anden
from anden.engines.local import link, tls
from anden.engines.local.cell import cgroup
from anden.engines.local.place import Place
from anden.model import codec
from anden.model.ids import Digest, EnvironmentKey
from anden.model.instance import Instance
from anden.model.plan import Configure, Receipt, Remove, StartInstance, Step, StopInstance
from anden.model.ports import Clock, Secrets
from anden.model.problem import Problem, Problems
from anden.model.secret import SecretRef, SecretValue

AT_ONCE = 16
"""Steps at the same time; the cell itself starts four containers at a time."""
KEEPER_S = 10.0
"""From the keeper's start to init being up; 60 ms are usual."""
SUPERVISOR_S = 15.0
"""From init being up to the supervisor's first answer; 400 ms are usual."""
CONFIGURE_S = 60.0
START_S = 60.0
STOP_MARGIN_S = 30.0
REMOVE_S = 20.0
"""From asking the keeper to end to its having cleared up."""
PAUSE_S = 0.02
TAIL_LINES = 12
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Executor:
    """Steps for one cell. rootfs: an image's unpacked root by digest; raises Problems when it is not there."""

    def __init__(
        self,
        key: EnvironmentKey,
        place: Place,
        images: Path,
        rootfs: Callable[[Digest], Path],
        clock: Clock,
        gateway: str,
        secrets: Secrets | None = None,
    ) -> None:
        self._key = key
        self._place = place
        self._images = images
        self._rootfs = rootfs
        self._clock = clock
        self._gateway = gateway
        self._secrets = secrets

    def execute(self, steps: Sequence[Step]) -> Iterator[Receipt]:
        """See model.ports.Engine."""
        for together, group in groupby(enumerate(steps), key=_together):
            batch = [step for _, step in group]
            failed = False
            if together[0] == -1 and len(batch) > 1:
                with ThreadPoolExecutor(min(AT_ONCE, len(batch)), thread_name_prefix="step") as pool:
                    for done in as_completed([pool.submit(self._receipt, step) for step in batch]):
                        receipt = done.result()
                        failed = failed or receipt.problem is not None
                        yield receipt
            else:
                for step in batch:
                    receipt = self._receipt(step)
                    failed = receipt.problem is not None
                    yield receipt
            if failed:
                return

    def _receipt(self, step: Step) -> Receipt:
        began = self._clock.monotonic()
        problem: Problem | None = None
        try:
            self._do(step)
        except Problems as found:
            problem = found.problems[0]
        except link.Away as away:
            problem = Problem("cell", "the supervisor does not answer", str(away), f"See {self._place.log}")
        except OSError as error:
            problem = _said(error, step.address)
        return Receipt(step.address, step.action, self._clock.monotonic() - began, problem)

    def _do(self, step: Step) -> None:
        match step.effect:
            case Configure(configuration=configuration):
                self._ensure()
                request = {"op": "configure", "configuration": codec.to_data(configuration)}
                # As those of instances: in this request, in the cell's memory, and nowhere else.
                request["keys"] = {
                    linked.link.name: {ref.name: self._secret(ref).reveal() for ref in linked.keys}
                    for linked in configuration.links
                }
                request["certificate"] = tls.wanted(self._place, self._key, self._gateway, configuration, self._clock)
                link.ask(self._place, request, timeout_s=CONFIGURE_S)
            case StartInstance(instance=instance, launch_s=launch_s):
                link.ask(self._place, {**self._start(instance), "launch_s": launch_s}, timeout_s=START_S)
            case StopInstance(id=id, drain_s=drain_s, stop_s=stop_s):
                request = {"op": "stop", "id": id, "drain_s": drain_s, "stop_s": stop_s}
                link.ask(self._place, request, timeout_s=drain_s + stop_s + STOP_MARGIN_S)
            case Remove():
                self._remove()

    def _start(self, instance: Instance) -> dict[str, object]:
        rootfs = self._rootfs(instance.image).resolve().relative_to(self._images.resolve())
        # Values are in this request and nowhere else; no message repeats a request.
        given = {place: self._secret(secret).reveal() for place, secret in instance.secrets.items()}
        return {"op": "start", "instance": codec.to_data(instance), "rootfs": str(rootfs), "secrets": given}

    def _secret(self, secret: SecretRef) -> SecretValue:
        """Raises Problems."""
        if self._secrets is None:
            why = "this control plane has no place that it may read"
            raise Problems(Problem(f"secret {secret.name}", "cannot be asked for here", why, "Use sudo."))
        return self._secrets.value(self._key, secret.name, secret.version)

    def _ensure(self) -> None:
        """Start the cell when it does not run, and wait until its supervisor answers."""
        if self._place.keeper() is None:
            self._start_keeper()
        elif (has := self._place.gateway()) != self._gateway:
            what = f"the gateway listens on {has}, not on {self._gateway}"
            why = "its socket is opened when the environment starts"
            raise Problems(Problem("gateway", what, why, "Run `anden down` first, or leave the gateway as it is."))
        try:
            link.ask(self._place, {"op": "ping"}, patience_s=SUPERVISOR_S)
        except link.Away as away:
            raise Problems(self._not_up(f"its supervisor did not come up: {away}")) from away

    def _start_keeper(self) -> None:
        if os.geteuid() != 0:
            why = "namespaces, mounts and control groups need root"
            raise Problems(Problem("cell", "it cannot be started", why, "Run the same with sudo."))
        self._place.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "anden.engines.local.cell.keeper", str(self._place.folder)]
        argv += ["--images", str(self._images.resolve()), "--client", self._key.client]
        argv += ["--environment", self._key.environment, "--gateway", self._gateway, "--group", self._place.group]
        ours = str(Path(anden.__file__).parents[1])
        env = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "PYTHONPATH": ours}
        try:
            done = subprocess.run(
                argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=KEEPER_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Problems(self._not_up(f"its keeper said nothing for {KEEPER_S:g} s")) from error
        if done.returncode != 0:
            raise Problems(self._not_up((done.stderr.strip().splitlines() or ["its keeper ended"])[-1]))

    def _not_up(self, why: str) -> Problem:
        tail = " / ".join(self._place.tail(TAIL_LINES))
        said = f"{why}; {self._place.log.name} ends with: {tail}" if tail else why
        return Problem("cell", "it did not start", said, "`anden doctor` checks this machine.")

    def _remove(self) -> None:
        """End everything of the cell and remove its folder. Raises Problems when something stays."""
        place = self._place
        pid = place.keeper()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            if not _until(lambda: place.keeper() is None, REMOVE_S):
                os.kill(pid, signal.SIGKILL)
        if place.folder.exists() and not _until(lambda: _free(place.lock), REMOVE_S):
            what = f"a process of it still lives {REMOVE_S:g} s after its end was asked for"
            why = "the kernel holds it, usually for a disk that does not answer"
            raise Problems(Problem("cell", what, why, f"Find it with `fuser {place.lock}`."))
        left = cgroup.remove(cgroup.here(), place.group)
        if left:
            what = f"control groups stay: {' '.join(left)}"
            raise Problems(Problem("cell", what, "a process is still in them", "Run `anden down` again."))
        shutil.rmtree(place.folder, ignore_errors=True)
        for parent in (place.folder.parent, place.folder.parent.parent):
            try:
                parent.rmdir()
            except OSError:  # other cells, or a store beside them
                break


def _together(numbered: tuple[int, Step]) -> tuple[int, str]:
    """Starts next to each other go at once, and so do stops; everything else goes alone, under its own number."""
    number, step = numbered
    at_once = isinstance(step.effect, StartInstance | StopInstance)
    return (-1, step.effect.kind) if at_once else (number, step.effect.kind)


def _until(true: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def _free(lock: Path) -> bool:
    """Whether nobody holds the cell's lock."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _said(error: OSError, where: str) -> Problem:
    """An operating error with its fix."""
    what, fix = error.strerror or str(error), ""
    if error.errno == errno.ENOSPC:
        fix = "Free some disk space, or set ANDEN_STATE to a folder on another disk."
    elif error.errno in (errno.EACCES, errno.EPERM):
        fix = "Run the same with sudo."
    why = f"{error.filename}" if error.filename else str(error)
    return Problem(where, what, why, fix or "`anden doctor` checks this machine.")
