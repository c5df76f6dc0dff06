"""The publications rules rest on, from sources.yaml: `A.tree.3` is part `tree.3` of work `A`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from rules.documents import read_document
from rules.errors import BadShape
from rules.schema import Work
from rules.shaping import shape_error


@dataclass(frozen=True, slots=True)
class Source:
    """One statement somebody published; `says` in our own words, `date` when it was published or read."""

    id: str
    title: str
    kind: str
    date: str
    says: str
    link: str | None = None

    @property
    def work(self) -> str:
        """The publication's key: `A` of `A.tree.3`."""
        return self.id.partition(".")[0]

    def as_plain(self) -> dict[str, str | None]:
        """The statement as plain JSON values, without its id."""
        return {key: value for key, value in asdict(self).items() if key != "id"}


def read_sources(file: Path) -> Mapping[str, Source]:
    """Every statement by its id. RuleError with its place when the file is malformed."""
    document = read_document(file)
    if not isinstance(document.content, dict):
        raise BadShape("sources are a mapping of works", file=file.name, line=1, column=1, fix="start with `A:`")
    sources: dict[str, Source] = {}
    for key, content in document.content.items():
        try:
            work = Work.model_validate(content)
        except ValidationError as error:
            raise shape_error(document, error, Work, (key,)) from None
        for part, says in work.says.items():
            sources[f"{key}.{part}"] = Source(f"{key}.{part}", work.title, work.kind, work.date, says, work.link)
    return sources
