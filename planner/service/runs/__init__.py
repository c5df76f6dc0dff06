"""Runs started over HTTP: queued in the database, each carried out by a process of its own."""
