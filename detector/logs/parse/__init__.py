"""One log line to what it says."""
