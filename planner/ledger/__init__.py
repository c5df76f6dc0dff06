"""One ledger for many machines: what each measured, reported to a service and taken from it for plans anywhere."""
