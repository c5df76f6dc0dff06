"""Which samples to calibrate with, and what to warn of: count, form, language, domain, overlap with the evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from executor.calibration.domain import code_share
from executor.calibration.language import UNKNOWN, language_of, languages_of
from executor.calibration.overlap import overlapping
from executor.calibration.reading import settings
from executor.calibration.samples import Sample
from planner.errors import BadInput


@dataclass(frozen=True, slots=True)
class Purpose:
    """What the samples are for: how many, for a chat model or not, its languages, the task, the text of the test."""

    samples: int
    is_chat: bool
    model_languages: tuple[str, ...]
    task: str
    evaluation_text: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The samples as the model will read them, what they are made of, and what speaks against them."""

    samples: tuple[Sample, ...]
    languages: dict[str, float]
    code_share: float
    dropped: int
    warnings: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        return {
            "samples": len(self.samples),
            "languages": {name: round(share, 3) for name, share in self.languages.items()},
            "code_share": round(self.code_share, 3),
            "dropped_for_overlap": self.dropped,
            "warnings": list(self.warnings),
        }


def choose(found: Sequence[Sample], purpose: Purpose) -> Chosen:
    """Samples spread evenly over what was found, none of which shares a passage with the evaluation text.

    BadInput when too many do: the text to calibrate with is then the text to be tested on (A.pitfall.3).
    """
    long_enough = [sample for sample in found if len(sample.words.strip()) >= settings()["sample_characters"]["least"]]
    kept, dropped = without_overlap(long_enough, purpose.evaluation_text)
    spread = spread_evenly(kept, min(purpose.samples, settings()["samples"]["most"]))
    fitting = tuple(sample.as_conversation() if purpose.is_chat else sample.as_text() for sample in spread)
    texts = [sample.words[: settings()["language"]["most_characters"]] for sample in fitting]
    languages, code = languages_of(texts), code_share(texts)
    said = tuple(_warnings(spread, purpose, languages, code, dropped))
    return Chosen(fitting, languages, code, dropped, said)


def without_overlap(samples: Sequence[Sample], evaluation_text: str) -> tuple[list[Sample], int]:
    """The samples apart from the evaluation text, and how many were dropped for sharing a passage with it."""
    limits = settings()["overlap"]
    shared = overlapping(samples, evaluation_text, limits["words"])
    if len(shared) > limits["most_share"] * len(samples):
        raise BadInput(
            f"{len(shared)} of {len(samples)} calibration samples share passages with the evaluation text, "
            f"for example {next(iter(shared.values()))!r}",
            fix="calibrate on other text than you evaluate on: name another file with --calibration",
        )
    return [sample for index, sample in enumerate(samples) if index not in shared], len(shared)


def spread_evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """`count` samples from all over, the same ones each time."""
    if len(samples) <= count:
        return list(samples)
    return [samples[index * len(samples) // count] for index in range(count)]


def _warnings(
    samples: Sequence[Sample], purpose: Purpose, languages: dict[str, float], code: float, dropped: int
) -> Iterator[str]:
    least = settings()["samples"]["least"]
    if len(samples) < least:
        usual = f"{least} to {settings()['samples']['most']} are usual"
        yield f"only {len(samples)} calibration samples; {usual} (A.workflow)"
    if dropped:
        yield f"{dropped} calibration samples share passages with the evaluation text and were left out (A.pitfall.3)"
    if purpose.is_chat and not all(sample.is_conversation for sample in samples):
        better = "each is taken as what a user says; conversations would be better"
        yield f"plain texts for a chat model: {better} (A.pitfall.1)"
    yield from _language_warnings(purpose, languages)
    limits = settings()["code"]
    if purpose.task == "code" and code < limits["wanted_share"]:
        yield f"the workload is code, and {code:.0%} of the calibration lines look like code (B.pitfall.6)"
    if purpose.task != "code" and code > limits["unwanted_share"]:
        yield f"{code:.0%} of the calibration lines look like code, and the workload is {purpose.task} (B.pitfall.6)"


def _language_warnings(purpose: Purpose, languages: dict[str, float]) -> Iterator[str]:
    covered = {name for name, share in languages.items() if share >= settings()["language"]["least_share"]}
    known = covered - {UNKNOWN}
    spoken = "/".join(sorted(known))
    missing = [name for name in purpose.model_languages if name not in covered]
    if known and purpose.model_languages and not known & set(purpose.model_languages):
        yield f"the calibration text is {spoken}, the model's card says {'/'.join(missing)} (A.pitfall.3)"
    evaluated = language_of(purpose.evaluation_text) if purpose.evaluation_text else UNKNOWN
    if known and evaluated != UNKNOWN and evaluated not in known:
        yield f"the calibration text is {spoken}, the evaluation text {evaluated} (A.pitfall.3)"
    if not known:
        yield "the calibration text's language was not recognised, so not checked against the model's (A.pitfall.3)"
