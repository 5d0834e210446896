"""The endpoints. `table` says what each takes and answers, `http` serves it, `web.caller` calls it directly."""
