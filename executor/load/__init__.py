"""Real load on an OpenAI-compatible server, and what a client sees of it."""
