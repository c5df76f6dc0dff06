"""The fake OpenAI server stands beside the steps' tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "steps"))
