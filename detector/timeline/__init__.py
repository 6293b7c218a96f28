"""A timeline: steps of snapshots, deliveries and accidents to the memory, and exactly what is told. Pure.

The format is TOML; `replay --script` runs it for a user, the tests run the same files.
"""

from detector.timeline.runner import Runner
from detector.timeline.script import Script, ScriptError, Step, parse_script

__all__ = ["Runner", "Script", "ScriptError", "Step", "parse_script"]
