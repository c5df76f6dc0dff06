"""Quality of a model file, measured."""
