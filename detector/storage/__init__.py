"""Finds, reads and writes artifacts: a file, a folder of generations, a workflow's artifacts."""
