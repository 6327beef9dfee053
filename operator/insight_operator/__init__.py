"""The InsightEngine operator: turns one InsightEngine object into a running, self-repairing query service."""

__version__ = "0.1.0"
