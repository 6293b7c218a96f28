"""Exchange hours, closures and IBKR's maintenance windows."""
