"""Data sources: one file per dialect, each with the hardening that its database needs.

Every adapter runs a sealed PreparedQuery and nothing else.
"""

from insight_engine.adapters.sources.factory import open_source

__all__ = ["open_source"]
