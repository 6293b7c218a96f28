"""What would have to change where for the stores and the broker to agree, and what would undo it."""
