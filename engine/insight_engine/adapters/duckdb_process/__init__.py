"""DuckDB in a process of its own, which holds no secret and no other work, and can reach nothing."""
