"""What the rules concluded, in words for terminal and pages."""

from __future__ import annotations

from planner.plan import Evidence

DECISIONS = {
    "width": "width",
    "format": "format",
    "fallback": "instead",
    "engine": "engine",
    "kv_cache": "KV cache",
    "parallelism": "split",
    "evaluate_also": "try also",
}
NAMES_SHOWN = 3


def outcome(evidence: Evidence) -> str:
    """What a rule concluded, in few words: formats and engines by name, groups by size, `split` for a flag."""
    words = []
    for key, value in evidence.outcome.items():
        if isinstance(value, list | tuple):
            names = [f"{name} KV" for name in value] if key == "avoid_kv" else value
            rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            words.append(", ".join(names[:NAMES_SHOWN]) + rest)
        elif key == "group_size":
            words.append(f"g{value}")
        elif value is True:
            words.append(key.replace("_", " "))
        elif key != "tool":
            words.append(str(value))
    return ", ".join(words) or "-"


def cited(evidence: Evidence) -> str:
    """The source and the rule, and the house rules it comes from."""
    return f"[{evidence.source}: {evidence.rule}{f' in {evidence.house_rules}' if evidence.house_rules else ''}]"
