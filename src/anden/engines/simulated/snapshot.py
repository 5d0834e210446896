"""Simulated environments in a file, so that they last from one command to the next."""

from pathlib import Path

from pydantic import ValidationError

from anden.engines.simulated.world import Kept
from anden.model import codec
from anden.model.problem import Problem, Problems


def load(path: Path) -> Kept:
    """What the file says; an empty world when there is none. Raises Problems that name a file that says nonsense."""
    try:
        return codec.from_json(Kept, path.read_bytes())
    except FileNotFoundError:
        return Kept()
    except ValidationError as fault:
        why = str(fault).splitlines()[0]
        raise Problems(
            Problem(str(path), "the simulated environments cannot be read", why, "Remove the file: they start anew.")
        ) from fault
    except OSError as fault:
        raise Problems(_failed(path, fault)) from fault


def save(path: Path, kept: Kept) -> None:
    """Write it, whole or not at all. Raises Problems."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(codec.to_json(kept), encoding="utf-8")
        fresh.replace(path)
    except OSError as fault:
        raise Problems(_failed(path, fault)) from fault


def _failed(path: Path, fault: OSError) -> Problem:
    why = fault.strerror or str(fault)
    return Problem(str(path), "the simulated environments cannot be kept", why, "Check its folder and disk.")
