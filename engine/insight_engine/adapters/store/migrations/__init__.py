"""Schema migrations. Expand first, contract a release later: the release before must run on the new schema."""
