"""An environment over what is common to all: mappings merge, scalars and lists replace, null removes."""

from anden.manifest.node import Table


def merge(under: Table, over: Table) -> Table:
    """`over` laid over `under`. What only one of them has stays the very same node; a merged mapping keeps the place
    of the one below. A null that has nothing to remove stays, so that its key is still checked."""
    merged = dict(under.entries)
    for key, node in over.entries.items():
        below = merged.get(key)
        if isinstance(node, Table) and isinstance(below, Table):
            merged[key] = merge(below, node)
        elif node.null and below is not None and not below.null:
            del merged[key]
        else:
            merged[key] = node
    return Table(merged, under.line, under.path, under.doubles + over.doubles)
