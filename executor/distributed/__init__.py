"""Plans carried out on other machines: the same run, journal and steps, where a step's work is a job of a cluster."""
