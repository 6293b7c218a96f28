"""Where alerts go: one channel a file, one method `notify`, one error; found by a walk over this folder."""
