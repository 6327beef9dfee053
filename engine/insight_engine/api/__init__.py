"""The HTTP API. FastAPI stays in here; routes hold no logic, services know no HTTP."""
