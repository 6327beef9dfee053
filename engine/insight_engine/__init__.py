"""The InsightEngine query service: answers questions over databases, safely."""

__version__ = "0.1.0"
