"""From log lines to the history of their events."""
