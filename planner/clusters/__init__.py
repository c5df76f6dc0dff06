"""Clusters as data: what nodes there are, what joins them, what they cost; declared or read from a running one."""
