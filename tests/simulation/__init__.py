"""Histories by seed: the real control and planning code, driven through faults, and an independent judge.

`python -m tests.simulation --seed N` replays one; docs/simulation.md says how it works and what it cannot see.
"""
