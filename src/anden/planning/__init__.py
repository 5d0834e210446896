"""Decides what should stand where and who may talk to whom. Pure: no IO, no clock, no randomness."""
