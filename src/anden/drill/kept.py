"""The reports of drills, as files beside a client's state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from anden.model.drill import Drill, DrillKind
from anden.model.fault import Outage
from anden.model.problem import Problem, Problems

FOLDER_MODE = 0o700


def stem(drill: Drill, at: float) -> str:
    """`2026-11-26T03-00-00Z-zone-b`: when it began, and what it was."""
    words = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H-%M-%SZ"), drill.kind.value, drill.name]
    if drill.kind is DrillKind.ZONE and drill.outage is not Outage.CUT:
        words.append(drill.outage.value)
    return "-".join(word for word in words if word)


def keep(folder: Path, name: str, texts: Mapping[str, str]) -> None:
    """Write `texts` (by the ending of the file's name) into `folder`. Raises Problems."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        for ending, text in texts.items():
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")
    except OSError as error:
        what, why = "the report cannot be kept", error.strerror or str(error)
        raise Problems(Problem(str(folder), what, why, "Make room, or use --report FOLDER.")) from error
