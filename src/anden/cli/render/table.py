"""Aligned columns."""

from collections.abc import Sequence

from anden.cli.render.paint import pad, width

GAP = "  "


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each row as one line; cells of a column start below each other, two spaces apart, and no line ends in spaces."""
    widths: list[int] = []
    for row in rows:
        for index, cell in enumerate(row):
            if index == len(widths):
                widths.append(0)
            widths[index] = max(widths[index], width(cell))
    return [
        GAP.join(pad(cell, widths[index]) for index, cell in enumerate(row)).rstrip() if row else "" for row in rows
    ]


def right(rows: Sequence[Sequence[str]], which: Sequence[int]) -> list[list[str]]:
    """The rows with these columns, of numbers, ending below each other."""
    widest = {index: max((width(row[index]) for row in rows), default=0) for index in which}
    return [
        [" " * (widest[index] - width(cell)) + cell if index in widest else cell for index, cell in enumerate(row)]
        for row in rows
    ]
