"""What the service remembers: plans, runs with their events, and tokens, in SQLite or PostgreSQL."""
