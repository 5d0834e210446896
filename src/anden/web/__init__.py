"""The HTTP API: its table of endpoints, the daemon that serves it, and the client that speaks to it."""
