"""TWS message codes, one log line to an event, events to outages."""
