"""A YAML document from anybody: refused in words, quickly, whatever it holds."""

from pathlib import Path

import pytest

from planner.clusters.cluster import Cluster
from planner.clusters.documents import parse_document
from planner.errors import BadInput

LETTERS = "bcdefghijkl"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{letter}: &{letter} [{','.join(['*' + chr(ord(letter) - 1)] * 9)}]\n" for letter in LETTERS
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 5000, "not nested so deeply"),
        (LAUGHS, "unknown key 'a'"),
        ("nodes: &a [*a]", "nodes.0"),
        ("? [a]\n: 1", "not YAML"),
        ("nodes: 2026-99-99", "not YAML: month must be in 1..12"),
        ("\x00", "not YAML: unacceptable character"),
        ("!!python/object:os.system {}", "not YAML: could not determine a constructor"),
        ("name: a\nname: b", "name is given twice"),
    ],
)
def test_it_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_document(text, Path("pasted"), Cluster, "a cluster file")
    assert says in str(caught.value)
    assert str(caught.value).startswith("pasted")
