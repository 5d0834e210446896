"""`anden render`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anden.app import Rendered
from anden.cli.render import problems, words
from anden.cli.render.paint import Paint
from anden.cli.render.status import label
from anden.cli.render.table import columns
from anden.model import codec
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.plan import Action

MOST_LINES = 40
"""Files that are named before the rest is only counted: the twin writes three for each instance."""


def lines(
    made: Rendered, key: EnvironmentKey, folder: Path, changes: Mapping[str, Action | None], paint: Paint
) -> list[str]:
    """The heading, what changed in the folder, what is otherwise on this engine, and what is still missing."""
    account = made.blueprint.topology.account if key.engine is EngineName.AWS else None
    whose = label(key.client, key.environment, key.engine.value) + (f" {account}" if account else "")
    said = [paint.strong(f"{whose}, {words.tag(made.blueprint.digest)}")]
    moved = [(name, action) for name, action in changes.items() if action is not None]
    said += columns([[f"{paint.sign(action)} {folder / name}"] for name, action in moved[:MOST_LINES]])
    if len(moved) > MOST_LINES:
        said.append(f"… and {words.count(len(moved) - MOST_LINES, 'file')} more")
    said += [f"{paint.sign('≠')} {each.engine}: {each.subject}: {each.text}" for each in made.caveats]
    said += [f"{paint.sign('!')} {problems.line(each, paint)}" for each in made.warnings]
    if made.presumed:
        text = f"images {', '.join(made.presumed)}: not here, so their digests in the files are made up"
        said.append(f"{paint.sign('!')} {text}; give `image:` with a digest, or run `anden up` once and render again")
    same = sum(action is None for action in changes.values())
    said.append(f"{words.count(len(moved), 'file')} written or removed, {same} as before; nothing was applied")
    return said


def data(made: Rendered, folder: Path, changes: Mapping[str, Action | None]) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "folder": str(folder),
        "blueprint": made.blueprint.digest,
        "files": [{"file": name, "change": action.value if action else "="} for name, action in changes.items()],
        "presumed": list(made.presumed),
        "caveats": [codec.to_data(each) for each in made.caveats],
        "warnings": [codec.to_data(each) for each in made.warnings],
    }
