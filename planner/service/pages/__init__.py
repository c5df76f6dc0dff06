"""The pages: the same answers for people, rendered on the server."""
