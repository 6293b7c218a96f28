"""Histories through the same code as a single run: what would have been reported, and when."""
