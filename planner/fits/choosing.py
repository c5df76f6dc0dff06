"""Which candidates answer the question, and which of a model's candidates is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from planner.fits.arrays import Flags, Ints
from planner.fits.candidates import Columns, Fleet, Offer
from planner.fits.fit import Fit
from planner.fits.question import Question
from planner.fits.settings import is_server, kv_formats, quality_tiers
from planner.hardware.hardware import Hardware
from planner.models.model import Model
from planner.planning.facts import gather_facts
from planner.quality import AS_PUBLISHED, expected_quality
from planner.request import Request
from planner.schemes import scheme
from planner.support import engines
from planner.units import GIB
from rules.book import Book, load_book

FULL_RECOVERY_PERCENT = 100.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """A swept question on one kind of hardware: every candidate, and what the rule book says of each."""

    fleet: Fleet
    hardware: Hardware
    question: Question
    offered: Sequence[Offer]
    columns: Columns
    book: Book = field(default_factory=load_book)

    @cached_property
    def vetoes(self) -> list[dict[str, str]]:
        """For each model the formats and kinds of KV cache that the book tells to avoid, each with the rule's id."""
        return [self._vetoes_of(model) for model in self.fleet.models]

    def _vetoes_of(self, model: Model) -> dict[str, str]:
        request = Request(
            model=model.name,
            hardware=self.hardware.label,
            workload=self.question.workload_of(model),
            engine=self.question.engine,
        )
        spoken = self.book.decide("vetoes", gather_facts(model, self.hardware, request)).spoke
        found = {format: said.rule for said in spoken for format in said.outcome.avoid}
        found.pop(self.question.format or "", None)
        return found | {f"{kind} KV": said.rule for said in spoken for kind in said.outcome.avoid_kv}

    @cached_property
    def is_avoided(self) -> Flags:
        """Which candidates a rule of the book tells to avoid."""
        table = [[bool(self._rule_against(n, offer)) for offer in self.offered] for n in range(len(self.fleet.models))]
        avoided: Flags = np.array(table)[self.columns.model, self.columns.offer]
        return avoided

    def _rule_against(self, model: int, offer: Offer) -> str:
        vetoes = self.vetoes[model]
        return vetoes.get(offer.format) or vetoes.get(f"{offer.kv_format} KV", "")

    @cached_property
    def holds(self) -> Flags:
        """Which candidates hold the load: its users with their context, and one request of the least context."""
        least = np.array([self.question.least_context(model) for model in self.fleet.models], dtype=np.int64)
        return self.columns.fits & (self.columns.longest_context >= least[self.columns.model])

    @cached_property
    def order(self) -> Ints:
        """All candidates: largest model first, for each what holds before what does not, and then the best first."""
        sizes = np.array([-shape.parameters for shape in self.fleet.shapes], dtype=np.int64)
        columns = self.columns
        ranks = self._ranks[columns.model, columns.offer]
        state = np.where(self.holds, self.is_avoided, 2)
        return np.lexsort((columns.tensor_parallel, ranks, state, columns.model, sizes[columns.model]))

    @cached_property
    def _ranks(self) -> Ints:
        """`[models, offers]`: the lower, the better."""
        by_offer = sorted(range(len(self.offered)), key=lambda n: _preference(self.offered[n]))
        places = np.empty(len(self.offered), dtype=np.int64)
        places[by_offer] = np.arange(len(self.offered))
        published = [[o.format == m.stored_format for o in self.offered] for m in self.fleet.models]
        served = np.array([is_server(o.engine) for o in self.offered])
        return places + np.where(np.array(published) & served, -len(self.offered), 0)

    def best(self) -> Ints:
        """One candidate a model: the best that holds the load and is not advised against."""
        return self._best

    @cached_property
    def _best(self) -> Ints:
        good = self.order[(self.holds & ~self.is_avoided)[self.order]]
        _, first = np.unique(self.columns.model[good], return_index=True)
        return good[np.sort(first)]

    def best_of_formats(self) -> Ints:
        """One candidate a model and format: the best that holds the load, not advised against where there is one."""
        holding = self.order[self.holds[self.order]]
        _, codes = np.unique([offer.format for offer in self.offered], return_inverse=True)
        places = self.columns.model[holding] * len(self.offered) + codes[self.columns.offer[holding]]
        _, first = np.unique(places, return_index=True)
        best: Ints = holding[np.sort(first)]
        return best

    def names(self, chosen: Flags) -> set[str]:
        """The models of these candidates."""
        return {self.fleet.models[number].name for number in np.unique(self.columns.model[chosen])}

    def made_for_less(self) -> set[str]:
        """The models made for shorter contexts than asked."""
        models, least = self.fleet.models, self.question.least_context
        return {model.name for model in models if model.shape.max_context_tokens < least(model)}

    def fit(self, number: int) -> Fit:
        """One candidate in words and plain numbers."""
        columns = self.columns
        model = self.fleet.models[columns.model[number]]
        offer = self.offered[columns.offer[number]]
        quality, recovery = self._quality(int(columns.model[number]), offer)
        params_b, active_params_b = self._sizes[columns.model[number]]
        users = float(columns.users[number])
        return Fit(
            model=model.name,
            family=model.shape.family,
            params_b=params_b,
            active_params_b=active_params_b,
            hardware=self.hardware.label,
            accelerators=self.hardware.count,
            format=offer.format,
            engine=offer.engine,
            kernel=offer.kernel.name,
            kv_cache=offer.kv_format,
            tensor_parallel=int(columns.tensor_parallel[number]),
            replicas=int(columns.replicas[number]),
            fits=bool(self.holds[number]),
            reason=self._reason(number),
            weights_gib=float(columns.weight_bytes[number]) / GIB,
            kv_room_gib=max(float(columns.pool_bytes[number]), 0.0) / GIB,
            free_gib=float(columns.free_bytes[number]) / GIB,
            context_tokens=self.question.context_of(model),
            longest_context_tokens=int(columns.longest_context[number]),
            users=None if np.isnan(users) else users,
            quality=quality,
            recovery_percent=recovery,
        )

    @cached_property
    def _sizes(self) -> list[tuple[float, float]]:
        """Billions of parameters of each model, all and active."""
        return [(shape.params_b, shape.active_parameters / 1e9) for shape in self.fleet.shapes]

    def _quality(self, model: int, offer: Offer) -> tuple[str, float | None]:
        known = self.fleet.models[model]
        if offer.format == known.stored_format and scheme(offer.format).is_quantized:
            return AS_PUBLISHED, FULL_RECOVERY_PERCENT
        quality = expected_quality(offer.format, known.shape.params_b)
        return quality.phrase, quality.recovery_percent

    def _reason(self, number: int) -> str:
        """Why a candidate is not offered, the hardest reason first; empty where it is."""
        columns = self.columns
        model = self.fleet.models[columns.model[number]]
        least, longest = self.question.least_context(model), int(columns.longest_context[number])
        if columns.free_bytes[number] < 0:
            return f"{-columns.free_bytes[number] / GIB:.1f} GiB short"
        if model.shape.max_context_tokens < least:
            return f"made for {model.shape.max_context_tokens:,} tokens"
        if longest < least:
            return f"holds {longest:,} tokens at most"
        rule = self._rule_against(int(columns.model[number]), self.offered[columns.offer[number]])
        return f"rule {rule}" if rule else ""


def _preference(offer: Offer) -> tuple[bool, int, bool, int, int, int]:
    """Engines that batch first; then the least loss, native kernels, the order of the catalogue, the default cache."""
    tier, place = quality_tiers()[offer.format]
    return (
        not is_server(offer.engine),
        tier,
        offer.kernel.support != "native",
        place,
        list(engines()).index(offer.engine),
        kv_formats(offer.engine).index(offer.kv_format),
    )
