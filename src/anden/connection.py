"""How the command line reaches control: in a client's daemon, or in this process, over the engine that is asked for.

Names engines and store together, as `serving` does, and nobody else. What is slow to import is imported where it is
used.
"""

# ruff: noqa: PLC0415

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from anden.machine import SystemClock, lacks, root
from anden.model.ids import EngineName
from anden.model.problem import Problems
from anden.serving import knock
from anden.session import Session, Virtual
from anden.web.files import Files

if TYPE_CHECKING:
    from anden.engines.aws.engine import AwsEngine
    from anden.engines.aws.opening import Opened
    from anden.model.ports import Engine, Images, Secrets, Store
    from anden.web.caller import Api

SIMULATION_LOCK_LIMIT_S = 10.0
ONE_MACHINE = (
    "! state is kept on this machine only: the account has no state bucket yet, so no other operator sees the target,"
    " and nothing keeps two apart; `anden account bootstrap` makes one"
)


def connect(client: str, engine: EngineName, *, start: bool, seen: bool = False) -> Session:
    """An Api for that client and engine.

    local: the daemon of the client's state folder, started when `start`, or when there is state to look at. Otherwise
    control in this process with an empty store, so that everything is compared with nothing; with `seen` (what runs
    must be seen) that is refused to whoever is not root. simulated and aws: control in this process.
    Raises Problems.
    """
    if engine is EngineName.SIMULATED:
        return _simulated(client)
    if engine is EngineName.AWS:
        return _aws(client, needed=start or seen)
    return _local(client, start=start, seen=seen)


def _local(client: str, *, start: bool, seen: bool) -> Session:
    able = not lacks(tools=False)
    if not able and (start or seen):
        raise Problems(lacks(tools=False))
    if able:
        from anden.web import daemon

        files = Files(root() / client)
        if daemon.current(files, client):
            from anden.web.client import SocketApi

            return Session(SocketApi(files.socket, client, files.log))
        if start and (lacking := lacks(tools=True)):
            raise Problems(lacking)
        if start or files.store.exists():
            return Session(daemon.start(files, client, ["-m", "anden.app", str(files.folder)]))
    note = "" if able else "! compared with nothing: what runs is seen by root only"
    return _twin(client, note)


def consider(client: str, engine: EngineName) -> Session:
    """An Api over control in this process that knows of nothing that runs: what is computed, is from the manifest."""
    if engine is EngineName.AWS:
        made, images = _engine_of_aws()
        return _in_process(client, made, images, "")
    if engine is EngineName.LOCAL:
        return _twin(client, "")
    from anden.engines.simulated.clock import VirtualClock
    from anden.engines.simulated.engine import SimulatedEngine
    from anden.engines.simulated.images import SimulatedImages

    return _in_process(client, SimulatedEngine(VirtualClock(time.time())), SimulatedImages(), "")


def _twin(client: str, note: str) -> Session:
    from anden.engines.local.engine import LocalEngine
    from anden.engines.local.images import LocalImages

    clock, images = SystemClock(), root() / "images"
    return _in_process(client, LocalEngine(root(), images, clock), LocalImages(images, clock), note)


def _engine_of_aws() -> "tuple[AwsEngine, Images]":
    from anden.engines.aws.engine import AwsEngine
    from anden.engines.local.images import LocalImages

    clock = SystemClock()
    images = LocalImages(root() / "images", clock)
    return AwsEngine(clock, carrier=images), images


def _aws(client: str, *, needed: bool) -> Session:
    """Control in this process over the client's account. Its state lies there, in a bucket; where the account has none
    yet, in a folder of this machine for that account, which is said, and nothing productive is changed. What lies in
    that folder goes to the bucket as soon as there is one. needed: what runs must be seen; otherwise an account that
    cannot be asked is planned for from nothing."""
    from anden.engines.aws.opening import fresh, open_account

    try:
        opened = open_account(client, fresh())
    except Problems as found:
        if needed:
            raise
        engine, images = _engine_of_aws()
        return _in_process(client, engine, images, f"! compared with nothing: {found}")
    engine, images = _engine_of_aws()
    files = Files(root() / client / "aws" / opened.account)
    with contextlib.ExitStack() as undo:
        records = opened.records()
        if records is not None:
            undo.callback(records.close)
            note = _moved(client, files, opened)
            return Session(_attended(client, engine, images, records, files, undo), note)
        if not needed and not files.store.exists():
            return _in_process(client, engine, images, ONE_MACHINE, alone=True, secrets=engine.secrets())
        files.prepare()
        undo.enter_context(_alone(files))
        from anden.store import open_store

        store = open_store(files.store)
        undo.callback(store.close)
        return Session(_attended(client, engine, images, store, files, undo, alone=True), ONE_MACHINE)


def _moved(client: str, files: Files, opened: "Opened") -> str:
    """What this machine kept before there was a bucket goes there: what to say of it. Raises Problems."""
    if not files.store.exists():
        return ""
    from anden.relocation import relocate

    with _alone(files):
        return relocate(client, files, opened)


def _attended(
    client: str, engine: "AwsEngine", images: "Images", store: "Store", files: Files, undo: contextlib.ExitStack, *,
    alone: bool = False,
) -> "Api":  # fmt: skip
    """Control whose ticks have threads of their own, so that a command tells what happens while a stack is made."""
    import logging

    from anden.control.environment import Control
    from anden.control.runner import ThreadRunner
    from anden.web.api.table import Desk
    from anden.web.caller import InProcess, myself

    files.prepare()
    logging.basicConfig(
        filename=files.log, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    control = Control(
        engine, images, store, SystemClock(), ThreadRunner(), knock, secrets=engine.secrets(), alone=alone
    )
    undo.callback(control.close)
    return InProcess(Desk(client, engine.name, control), myself(), undo.pop_all().close)


def _in_process(
    client: str, engine: "Engine", images: "Images", note: str, *, alone: bool = False,
    secrets: "Secrets | None" = None,
) -> Session:  # fmt: skip
    """Control in this process, with a store that is forgotten. secrets: of an account that can be asked."""
    from anden.control.environment import Control
    from anden.control.runner import InlineRunner
    from anden.store import open_store
    from anden.web.api.table import Desk
    from anden.web.caller import InProcess, myself

    store = open_store(":memory:")
    # Where nothing was ever kept, none is there; what may not be looked at (`note`) or is AWS's, nobody here knows.
    issuers = None
    if engine.name is EngineName.LOCAL:
        from anden.engines.local.issuers import HttpsIssuers

        issuers = HttpsIssuers()
    kept = store.secrets if engine.name is EngineName.LOCAL and not note else secrets
    control = Control(engine, images, store, SystemClock(), InlineRunner(), secrets=kept, alone=alone, issuers=issuers)

    def done() -> None:
        control.close()
        store.close()

    return Session(InProcess(Desk(client, engine.name, control), myself(), done), note)


def _simulated(client: str) -> Session:
    """Control in this process over the simulated engine, whose world is kept between commands."""
    from anden.control.environment import Control
    from anden.control.runner import InlineRunner
    from anden.engines.simulated.clock import VirtualClock
    from anden.engines.simulated.engine import SimulatedEngine
    from anden.engines.simulated.images import SimulatedImages
    from anden.store import open_store
    from anden.web.api.table import Desk
    from anden.web.caller import InProcess, myself

    files = Files(root() / client / "simulated")
    files.prepare()
    stack = contextlib.ExitStack()
    stack.enter_context(_alone(files))
    with contextlib.ExitStack() as undo:
        undo.push(stack)
        store = open_store(files.store)
        stack.callback(store.close)
        clock = VirtualClock(time.time())
        engine = SimulatedEngine(clock, files.folder / "snapshot.json", secrets=store.secrets)
        virtual = Virtual(engine, clock)
        control = virtual.control = Control(
            engine, SimulatedImages(), store, clock, InlineRunner(), fall=virtual.fall, secrets=store.secrets
        )
        stack.callback(control.close)
        undo.pop_all()
    api = InProcess(Desk(client, engine.name, control), myself(), stack.close)
    return Session(api, now=clock.now, virtual=virtual)


@contextlib.contextmanager
def _alone(files: Files) -> Iterator[None]:
    """One command at a time on a client's simulated world; on systems without flock nothing keeps two apart."""
    try:
        from anden.web.lock import locked
    except ImportError:
        yield
        return
    with locked(files, SIMULATION_LOCK_LIMIT_S):
        yield
