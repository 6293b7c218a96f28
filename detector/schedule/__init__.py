"""The schedule of this program's own runs: when they are due by the crons, and which windows they covered."""
