"""Plans the changes that make the stores agree with the broker, and names what would undo them."""
