"""A constant-rate load of GETs, measured from the intended send time: `python -m anden.load --help`.

An open model: each request has its time, and is sent then whether or not those before it were answered, on another
connection if need be. A server that stalls therefore shows in the latency of everything that was due meanwhile, and
not in fewer requests (coordinated omission). `schedule`, `answer`, `outcome` and `line` are pure; `generator` does
the IO. Standard library only, so that it starts quickly and can be run anywhere. Why ours: docs/decisions/0015-load.md.
"""
