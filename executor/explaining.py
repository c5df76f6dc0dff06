"""One sentence a kind of step: what it does, for whoever watches a run."""

from __future__ import annotations

from planner.plan import StageKind

EXPLANATIONS: dict[StageKind, str] = {
    "fetch": "Finding the model's files; weights are read as safetensors or GGUF only, never unpickled",
    "keep-original": "Recording checksums of the full-precision original, which is never written to",
    "convert": "Converting the model to GGUF in full precision, the form llama.cpp reads",
    "calibrate": "Choosing calibration text: language, domain and form checked, none of it from the evaluation",
    "quantize": "Quantizing the weights to the planned format",
    "check-artifact": "Reading the written file back: every tensor's type and the bytes, against the plan",
    "evaluate": "Measuring perplexity on held-out text the model was not trained on",
    "launch": "Starting the real server and waiting until it answers",
    "check-applied": "Checking that the server holds and computes the planned format, not only that it answers",
    "load-test": "Sending streamed requests at the planned concurrency, timing every token",
    "ramp": "Raising the load until a target is missed, to find the largest that meets all",
    "findings": "Comparing each prediction with its measurement",
    "report": "Writing the report, after a last look at the original's checksums",
}
