"""Channels: where alerts go, and from which severity on."""
