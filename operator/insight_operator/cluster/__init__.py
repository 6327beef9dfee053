"""The only code that talks to the API server. It carries out; it decides nothing about an InsightEngine."""
