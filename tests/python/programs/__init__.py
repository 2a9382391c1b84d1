"""Programs that tests start: each reads JSON from stdin and prints JSON as its last line."""
