"""Read-only health detector and alerting CLI for an unattended IBKR trading runtime."""

__version__ = "0.1.0"
