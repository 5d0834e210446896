import threading
import time

from anden.drill.watch import LOOK_S, ThreadWatch, of
from anden.model.drill import Sample
from anden.model.report import InstanceStatus, ServiceStatus, StatusReport


def report(**changed: object) -> StatusReport:
    instance = InstanceStatus("web-1", "a", "172.30.0.4", "web:1", "running", "healthy", 2, 5.0)
    draining = InstanceStatus("web-2", "b", "172.30.0.5", "web:1", "draining", "healthy", 0, 6.0)
    service = ServiceStatus("web", 1, 1, 1, 3, "1", "healthy", (instance, draining))
    fields: dict[str, object] = {
        "client": "shop", "environment": "dev", "engine": "local", "running": True, "reason": "", "blueprint": None,
        "matches_manifest": None, "seen_at": 99.0, "zones": 2, "gateway": None, "services": (service,),
        "processes": {"supervisor": 7},
    }  # fmt: skip
    return StatusReport(**(fields | changed))  # type: ignore[arg-type]


def test_a_report_as_of_when_the_engine_saw_it() -> None:
    seen = of(report(), 100.0)
    assert (seen.at, seen.answered) == (99.0, True)
    assert seen.levels == {"web": 1}
    assert seen.processes == {"supervisor": 7}
    assert [(each.id, each.healthy, each.process) for each in seen.instances] == [
        ("web-1", True, (5.0, 2)), ("web-2", False, (6.0, 0)),
    ]  # fmt: skip
    assert seen.serving() == {"a": 1, "b": 0}


def test_what_was_seen_last_is_not_what_is() -> None:
    for changed in ({"running": False}, {"reason": "its supervisor does not answer"}, {"seen_at": None}):
        assert of(report(**changed), 100.0) == Sample(100.0, answered=False)


def test_looking_goes_on_while_nobody_asks_and_ends() -> None:
    looked = threading.Semaphore(0)

    def look() -> Sample:
        looked.release()
        return Sample(time.time())

    watch = ThreadWatch(look)
    for _ in range(3):
        assert looked.acquire(timeout=10)
    watch.close()
    assert len(watch.fresh()) >= 3
    time.sleep(LOOK_S * 2)
    assert watch.fresh() == []
