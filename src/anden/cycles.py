"""How often Python looks for garbage in cycles.

A plan or a template is made of hundreds of thousands of small values and of no cycle. CPython's own setting looks for
cycles after every 700 of them (Python library reference, "gc"), now and then through everything that was ever imported:
a third of the time that 300 services take to render for AWS. What is in no cycle goes at once either way.
"""

import gc

SELDOM = 50_000
"""New values, less those that went, before it looks: some 5 MB."""


def seldom() -> None:
    """Look for cycles seldom, from now on and in the whole process: whoever begins a process of ours calls it."""
    gc.set_threshold(SELDOM)
