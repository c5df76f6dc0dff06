"""A simulated day: many copies of a model under a day of traffic, scaled, reclaimed and failing."""
