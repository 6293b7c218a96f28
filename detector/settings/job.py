"""The scheduled job: its memory across machines, its run, the dead-man's switch."""
