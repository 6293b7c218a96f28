"""Where artifacts are found, read and written: a local file now."""
