"""The session's report: runs in order, their timeline and tables, and one final line. Pure."""
