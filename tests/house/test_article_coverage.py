"""Every statement of the two articles is acted on: by a rule, a formula, a data row or a step that cites it."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_statement_is_acted_on() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        from article_coverage import ARTICLES, coverage
    finally:
        sys.path.remove(str(DOCS))
    covered = dict(coverage())
    assert len(covered) == 74
    assert {source.work for source in covered} == set(ARTICLES)
    assert [source.id for source, places in covered.items() if not places] == []
