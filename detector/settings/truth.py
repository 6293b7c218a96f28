"""Broker truth: limits of what compares the runtime with the broker."""
