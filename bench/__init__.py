"""How fast and how large anden is, beside its peers in the same run: `python -m bench`. A report, never a test."""
