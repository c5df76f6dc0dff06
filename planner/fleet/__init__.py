"""Several models on one cluster: which copies of which model on which nodes, at what cost, and what would not fit."""
