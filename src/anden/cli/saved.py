"""A plan in a file: saved to be approved, read to be applied."""

from pathlib import Path

from pydantic import ValidationError

from anden.model import codec
from anden.model.approval import SavedPlan
from anden.model.problem import Problem, Problems

MOST_BYTES = 16 << 20
"""Of such a file: 300 stacks of 500 resources, a line each."""


def write(path: Path, plan: SavedPlan) -> None:
    """Raises Problems when it cannot be written."""
    try:
        path.write_text(codec.to_json(plan, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        said = error.strerror or str(error)
        raise Problems(Problem(str(path), "the plan cannot be saved", said, "Name another file.")) from error


def read(path: Path) -> SavedPlan:
    """Raises Problems: there is none, or it is not what `anden plan --save` writes."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        said = error.strerror or str(error)
        raise Problems(
            Problem(str(path), "the plan cannot be read", said, "`anden plan --save` writes one.")
        ) from error
    try:
        if len(text) > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES} bytes")
        return codec.from_json(SavedPlan, text)
    except (ValidationError, ValueError) as error:
        why = str(error).splitlines()[0]
        fix = "`anden plan --save FILE` writes one; leave it as it is."
        raise Problems(Problem(str(path), "it is not a saved plan", why, fix)) from error
