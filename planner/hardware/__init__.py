"""From a declaration (`2xL40S`, `cpu:64GB`), a YAML file or detection (NVML, /proc) to a `Hardware`."""
