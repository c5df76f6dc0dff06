"""A plan as files that start its server elsewhere: shell, Docker Compose, systemd, Ollama."""
