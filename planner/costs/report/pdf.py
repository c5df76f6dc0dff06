"""The page as a PDF, by WeasyPrint (the optional extra `report`)."""

from __future__ import annotations

from planner.costs.comparison import Comparison
from planner.costs.report.page import page
from planner.errors import QuantplanError

GET_WEASYPRINT = "pip install 'quantplan[report]'; or write .html and print it from a browser"


class ReportToolMissing(QuantplanError):
    """A kind of report needs a library that is not installed."""


def pdf(comparison: Comparison) -> bytes:
    """A4, its pages numbered. ReportToolMissing where WeasyPrint, or the Pango it needs, is not installed."""
    try:
        from weasyprint import HTML
    except ImportError:
        raise ReportToolMissing("a PDF needs WeasyPrint, which is not installed", fix=GET_WEASYPRINT) from None
    except OSError:
        fix = "install Pango (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0); or write .html and print that"
        raise ReportToolMissing("WeasyPrint does not find the Pango library", fix=fix) from None
    written: bytes = HTML(string=page(comparison), url_fetcher=_nothing_fetched).write_pdf()
    return written


def _nothing_fetched(url: str, *_: object, **__: object) -> dict[str, object]:
    """The page refers to nothing outside itself; if it ever did, no request may leave the machine."""
    raise ValueError(f"the report must not fetch {url}")
