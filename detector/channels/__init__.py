"""The channels that alerts are delivered to, one a file, each with one method `notify` and one error.

They are found by their files; nothing lists them.
"""
