"""The command line: parses, calls the API, prints. Everything that it prints is rendered by `cli.render`, purely."""
