"""The readers: one section a file, from the section's own shape to facts."""
