"""May this close order be sent? The order, what already works, and the verdict."""
