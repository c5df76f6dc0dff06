"""What a GPU really takes and gives, beside what was predicted: `python -m benchmarks.gpu --help`."""
