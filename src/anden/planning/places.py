"""Where in the manifest something was said, as people read it."""

from anden.model.mark import Mark, Marks, find
from anden.model.topology import Topology


def where(marks: Marks, path: str) -> str:
    """`services/accounts/port (anden.yaml:31)`; only the path when no place of it is known."""
    return f"{path}{at(marks, path)}"


def at(marks: Marks, path: str) -> str:
    """` (anden.yaml:31)`, the place of `path` or of its nearest parent; empty when there is none."""
    mark = find(marks, path)
    return f" ({mark})" if mark else ""


def of_environment(topology: Topology, field: str) -> str:
    """The path of a field of the environment: `environments/production/zones`."""
    return f"environments/{topology.environment}/{field}"


def mark_of(topology: Topology, marks: Marks, field: str) -> Mark | None:
    """The place of a field that may stand in the environment or at the top of the manifest; exact before near."""
    own = of_environment(topology, field)
    return marks.get(own) or marks.get(field) or find(marks, own) or find(marks, field)


def where_of(topology: Topology, marks: Marks, field: str) -> str:
    """As `where`, for a field that may stand in the environment or at the top of the manifest."""
    own = of_environment(topology, field)
    path = field if own not in marks and field in marks else own
    return where(marks, path)
