"""Decides whether a close order may be sent: the order, other activity in its instrument, and the verdict."""
