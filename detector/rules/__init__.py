"""The rules, one a file, found by their files; the name of the file is the type of its event."""
