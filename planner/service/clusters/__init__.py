"""Questions about clusters: of bounded size, each solved in a process of its own that can be stopped."""
