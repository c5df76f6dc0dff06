"""Falling back by rule: what went wrong is told from the engine's own words, and the plan says what to change then."""
