"""Power under load and what it costs: watts of an accelerator, joules a token, USD of electricity."""
