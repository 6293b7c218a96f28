"""Finds, reads and writes artifacts: a file, a folder of generations, a workflow's artifacts.

They are this program's own memory; the stores of the bot are read by collectors.
"""
