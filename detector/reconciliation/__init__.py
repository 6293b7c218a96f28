"""Compares the runtime and its stores with the broker: positions, orders, fills and trades. Pure."""
