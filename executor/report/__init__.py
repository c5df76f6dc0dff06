"""The report of a run: one document, written as JSON for programs and as one HTML page for people."""

from executor.report.document import Report
from executor.report.page import render_page

__all__ = ["Report", "render_page"]
