"""The nouns of anden: plain, frozen values that every other package speaks in. No IO, no clock, no randomness."""
