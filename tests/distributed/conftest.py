"""Shared by the tests of other machines: the helpers of the executor's own."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "executor"))
