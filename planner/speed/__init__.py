"""How fast a model runs: closed formulas of bytes, operations and fitted constants, each answer with its interval.

Doors: `predicting.predict_speed` answers one plan; `sweeping.speed_many` answers many candidates as numpy arrays;
`stepping.step_times` gives the milliseconds of single steps (`decode_step_ms(batch, context)`, `prompt_step_ms(tokens,
context)`) to a simulation; `batch.predicting.predict_file` answers tables of published runs.
"""
