"""The engine's vocabulary. Pure: imports nothing but the standard library."""
