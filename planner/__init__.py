"""What a model needs, does and costs on given hardware: sizing, speed, cost, and the plan."""

__version__ = "0.1.0"
