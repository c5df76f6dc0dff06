"""What a model needs in memory, accounted the way each engine accounts: labelled sums, forwards and backwards."""
