"""Where the parts of an environment stand: the marks that travel beside its topology."""

from collections.abc import Mapping

from anden.manifest.node import Listing, Node, Scalar, Table, join
from anden.model.mark import Mark


class Places:
    """The marks of a file's environments. What environments share is walked once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._walked: dict[tuple[int, str], tuple[Node, dict[str, Mark]]] = {}

    def marks(self, name: str, root: Table, own: Table | None, services: Node | None) -> Mapping[str, Mark]:
        """Path to place, for one environment.

        root: the whole manifest; own: the environment's part of it; services: the merged ones. What is common stands
        under its path, the environment's own fields under environments/NAME, and a service's field under the path
        that it has for every environment, at the line that counts here.
        """
        found: dict[str, Mark] = {}
        for key, node in root.entries.items():
            if key not in ("environments", "services"):
                found |= self._below(node, key)
        if own is not None:
            path = join("environments", name)
            found |= self._below(own, path)
            removed = own.entries.get("services")
            if removed is not None:
                found |= self._nulls(removed, "services")
        if isinstance(services, Table):
            common = root.entries.get("services", services)
            found.setdefault("services", Mark(self.file, common.line))
            for key, node in services.entries.items():
                found |= self._below(node, join("services", key))
        return found

    def _below(self, node: Node, path: str) -> dict[str, Mark]:
        known = (id(node), path)
        if known not in self._walked:
            found: dict[str, Mark] = {}
            self._walk(node, path, found)
            self._walked[known] = (node, found)
        return self._walked[known][1]

    def _walk(self, node: Node, path: str, found: dict[str, Mark]) -> None:
        found[path] = Mark(self.file, node.line)
        if isinstance(node, Table):
            for key, child in node.entries.items():
                self._walk(child, join(path, key), found)
        elif isinstance(node, Listing):
            for item in node.items:
                if isinstance(item, Scalar) and "/" not in item.text:
                    found.setdefault(join(path, item.text), Mark(self.file, item.line))

    def _nulls(self, node: Node, path: str) -> dict[str, Mark]:
        """The places where an override removes something."""
        if node.null:
            return {path: Mark(self.file, node.line)}
        found: dict[str, Mark] = {}
        if isinstance(node, Table):
            for key, child in node.entries.items():
                found |= self._nulls(child, join(path, key))
        return found
