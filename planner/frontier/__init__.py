"""The Pareto set: what nothing else beats, over formats, KV caches, layouts, GPU types and batch limits."""
