"""The collectors: one source a file, each from what its settings name to its section, reading only."""
