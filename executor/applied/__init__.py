"""What was really applied: read from what was written, and from what an engine holds, never from what a tool says."""
