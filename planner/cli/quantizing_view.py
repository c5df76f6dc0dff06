"""What quantizing takes, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from planner.figures import NAMES, interval, memory, with_unit
from planner.plan import Prediction, QuantizingNeeds, Term


def needs_line(needs: QuantizingNeeds) -> str:
    """The whole answer in one sentence."""
    places = [f"{memory(needs.host_gib.value)} of host memory"]
    if needs.gpu_gib.value:
        places.append(f"{memory(needs.gpu_gib.value)} to {memory(needs.gpu_gib.high)} on one GPU")
    places.append(f"{memory(needs.disk_gib.value)} written")
    about = "time unknown" if needs.minutes.value is None else f"about {with_unit(needs.minutes.value, 'min')}"
    return f"{', '.join(places)}; {about}: {needs.way}"


def needs_lines(needs: QuantizingNeeds) -> Iterator[str]:
    """Each figure with its interval, what it is made of and its source."""
    yield f"{needs.tool}: {needs.way}"
    sums = ((needs.host_gib, needs.host_terms), (needs.gpu_gib, needs.gpu_terms), (needs.disk_gib, needs.disk_terms))
    for prediction, terms in sums:
        yield from _figure(prediction)
        yield from (_term(term) for term in terms)
    yield from _figure(needs.minutes)
    yield from dict.fromkeys(f"source: {p.source}" for p in needs.predictions)


def _figure(prediction: Prediction) -> Iterator[str]:
    if prediction.value is None:
        yield f"  {NAMES[prediction.name]:24} unknown: {prediction.abstained}"
        return
    value = with_unit(prediction.value, prediction.unit)
    yield f"  {NAMES[prediction.name]:24} {value:>10}  {interval(prediction)}".rstrip()


def _term(term: Term) -> str:
    return f"    {term.label:22} {memory(term.predicted_gib):>10}  {term.how}"
