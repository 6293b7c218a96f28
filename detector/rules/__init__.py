"""The rules, one per file; the name of the file is the type of its event."""
