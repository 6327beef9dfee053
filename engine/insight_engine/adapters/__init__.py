"""Everything that talks to the outside: databases, brokers, stores. Only wiring.py builds these."""
