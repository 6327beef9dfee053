"""Schema migrations. Expand first, contract a release later: the one before must run on the new schema."""
