"""How fast a model runs: closed formulas of bytes, operations and fitted constants, each answer with its interval."""
