"""The worker: Celery's prefork pool, thin tasks, one event-loop thread per child."""
