"""The gate: a list of checks before and after a deployment and before the open, each proven or not."""
