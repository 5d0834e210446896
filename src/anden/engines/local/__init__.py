"""The local engine: a twin of the environment on one Linux machine, made of real parts."""
