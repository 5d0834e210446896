"""What a Containerfile asks for before it can be built: on which images it stands. Pure."""

import itertools
import re
from dataclasses import dataclass

BASE = "BASE"
"""The build argument by which a Containerfile leaves its base to anden."""
SCRATCH = "scratch"
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-[^}]*)?\}|(\w+))")
FROM_OPTION = re.compile(r"(?:^|[\s,=])(?:--)?from=([^\s,]+)")


@dataclass(frozen=True, slots=True)
class Outside:
    """An image that is not there: `image` as written, on `line` (from 1)."""

    image: str
    line: int


@dataclass(frozen=True, slots=True)
class Bases:
    """wants_base: it stands on `${BASE}`. outside: images that would have to be pulled. stages: how many."""

    wants_base: bool
    outside: tuple[Outside, ...]
    stages: int


def bases(text: str) -> Bases:
    """On which images a Containerfile stands: of each FROM, of COPY --from and of RUN --mount=…,from=…"""
    declared, outside, stages = False, [], list[str]()
    wanted, count = False, 0
    for line, words in instructions(text):
        instruction, _, rest = words.partition(" ")
        match instruction.upper():
            case "ARG":
                declared = declared or rest.strip().partition("=")[0] == BASE
            case "FROM":
                parts = [part for part in rest.split() if not part.startswith("--")]
                image = parts[0] if parts else ""
                if _is_base(image) and declared:
                    wanted = True
                elif image.lower() not in {SCRATCH, *stages}:
                    outside.append(Outside(image, line))
                stages.append(parts[2].lower() if len(parts) == 3 and parts[1].upper() == "AS" else "")
                count += 1
            case "COPY" | "RUN" | "ADD":
                options = " ".join(itertools.takewhile(lambda part: part.startswith("--"), rest.split()))
                for match in FROM_OPTION.finditer(options):
                    stage = match[1].lower()
                    if stage not in stages and not (stage.isdigit() and int(stage) < count):
                        outside.append(Outside(match[1], line))
            case _:
                pass
    return Bases(wanted, tuple(outside), count)


def _is_base(image: str) -> bool:
    match = VARIABLE.fullmatch(image)
    return match is not None and BASE in match.groups()


def instructions(text: str) -> list[tuple[int, str]]:
    """(line from 1, instruction) with continued lines joined by a space; comments and empty lines left out."""
    found: list[tuple[int, str]] = []
    joined, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        start = start if joined else number
        joined += " " + line.removesuffix("\\").strip()
        if not line.endswith("\\"):
            found.append((start, " ".join(joined.split())))
            joined = ""
    if joined:
        found.append((start, " ".join(joined.split())))
    return found
