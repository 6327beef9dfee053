"""Tokens and passwords. The libraries that make them stay in here."""
