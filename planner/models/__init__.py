"""From whatever names a model (directory, hub id, catalogue name, bare size, GGUF file) to its `Shape`."""
