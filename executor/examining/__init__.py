"""Examining a server or a finished run: load, and quality against the original."""

from executor.examining.examiner import LocalExaminer

__all__ = ["LocalExaminer"]
