"""The rules: one a file, and the file's name is the event's type."""
