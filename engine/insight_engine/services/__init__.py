"""Use cases. They take ports as arguments, never import an adapter, never commit."""
