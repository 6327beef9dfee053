"""The metadata store: one schema on PostgreSQL (a service) or SQLite (embedded). SQLAlchemy stays in here."""
