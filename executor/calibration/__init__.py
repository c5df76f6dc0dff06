"""The text a format is calibrated with: read, chosen, checked against the model, the workload and the evaluation."""

from executor.calibration.choosing import choose
from executor.calibration.reading import read_samples
from executor.calibration.samples import Sample

__all__ = ["Sample", "choose", "read_samples"]
