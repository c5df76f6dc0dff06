"""What fits on given hardware, and what hardware a model fits on: the memory formulas over whole tables at once."""
