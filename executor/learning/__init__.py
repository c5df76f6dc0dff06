"""After a run: its findings, kept as this machine's own constants."""
