"""The collectors, one source a file: each reads the configured source and returns its section.

They are found by their files; nothing lists them.
"""
