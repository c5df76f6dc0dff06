"""The planner as a service: the same answers as the command line, over HTTP (`pip install 'quantplan[service]'`)."""
