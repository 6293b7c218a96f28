"""The commands: one verb a file, wiring only; each module's `command` is found by its name."""
