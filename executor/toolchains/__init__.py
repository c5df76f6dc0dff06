"""Tools the executor needs, each in an isolated environment with pinned versions, built on first use."""

from executor.toolchains.tools import LlamaCpp, Python, Toolchains

__all__ = ["LlamaCpp", "Python", "Toolchains"]
