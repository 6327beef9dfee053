"""Doorbell and wake-ups: over Redis for a service, inside the process when embedded. Never the truth."""
