"""The engines: where an environment can run."""
