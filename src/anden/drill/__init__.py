"""Drills: a fault on purpose, with a load beside it, watched from the outside.

They run in the caller's process, because they must outlive the control plane that they may end. Everything that they
do to an environment goes through its API; what they saw becomes a report in `assess.drill`. See docs/drills.md.
"""
