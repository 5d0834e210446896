"""Reports and events to lines. Pure: it depends on the value, the paint and the time given."""
