"""Where artifacts are found, read and written: a file, a folder of generations, a workflow's artifacts."""
