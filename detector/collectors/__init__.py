"""The collectors, one source a file: each reads the configured source and returns its section."""
