"""A server under load, step by step: what users wait, at which percentile, and the largest load that meets a target."""
