"""Sets up a clone: what `./anden` and `./test` do before anden itself can run. Standard library only."""
