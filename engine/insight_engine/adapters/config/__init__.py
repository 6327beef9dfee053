"""Mounted files: secret sets and the list of data sources. Read again when they change."""
