"""Broker truth: what the runtime and its stores say, held against what the broker itself shows. Pure."""
