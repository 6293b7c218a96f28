"""The only package that opens sockets: clients with a deadline, size limits and a check of addresses."""
