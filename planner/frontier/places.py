"""Where the model may run: each kind of hardware with its price and what the rule book tells to avoid there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.catalog import load_yaml
from planner.costs.hourly import HourlyPrice, hourly_price
from planner.errors import BadInput
from planner.fits.candidates import Offer, offers
from planner.fits.settings import is_server
from planner.hardware.catalogue import known_accelerators
from planner.hardware.hardware import Accelerator, Hardware
from planner.hardware.resolving import resolve_hardware
from planner.models.model import Model
from planner.planning.deciding import Deliberation
from planner.planning.facts import gather_facts
from planner.prices import known_provider, price_table
from planner.request import Request
from rules.book import Book

ANY = "any"
ALONE = "unified"


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of hardware. `whole`: copies fill it; else a copy is rented by itself, as large as it needs to be.

    `avoided` says for each format, KV cache or engine the rule that vetoes it here.
    """

    hardware: Hardware
    accelerator: Accelerator
    hourly: HourlyPrice
    offered: tuple[Offer, ...]
    avoided: dict[str, str]
    whole: bool

    @property
    def name(self) -> str:
        return self.accelerator.name

    def rule_against(self, offer: Offer) -> str:
        """The rule that vetoes this format, cache or engine here; empty where none does."""
        by = self.avoided
        return by.get(offer.format) or by.get(f"{offer.kv_format} KV") or by.get(f"on {offer.engine}", "")


def places(model: Model, labels: Sequence[str], request: Request, book: Book) -> tuple[Place, ...]:
    """The named hardware, or for `any` every accelerator that has a price.

    BadInput for a CPU, for hardware without a price, or where nothing has a kernel for what was asked.
    """
    found: dict[str, Place] = {}
    for label in labels:
        for place in (
            _everywhere(model, request, book) if label.strip() == ANY else (_named(model, label, request, book),)
        ):
            found.setdefault(place.hardware.label, place)
    if request.price.usd_per_hour is not None and len({place.name for place in found.values()}) > 1:
        raise BadInput(
            "--usd-per-hour is the price of one kind of accelerator, and --on names several",
            fix="put a line for each into a price file (--prices FILE)",
        )
    answering = tuple(place for place in found.values() if place.offered)
    if not answering:
        wanted = " and ".join(filter(None, (request.engine, request.format, request.kv_cache)))
        raise BadInput(f"nothing there has a kernel for {wanted}", fix="leave out --engine, --format or --kv-cache")
    return answering


def _named(model: Model, label: str, request: Request, book: Book) -> Place:
    hardware = resolve_hardware(label.strip())
    if hardware.accelerator is None:
        raise BadInput(
            f"{hardware.label} is a CPU: a frontier is over accelerators",
            fix="name accelerators: --on 1xA100-80GB,1xL40S",
        )
    hourly = hourly_price(request.price, hardware)
    if hourly is None:
        raise BadInput(
            f"no price is known for {hardware.accelerator.name}, so its cost cannot be compared",
            fix="give --usd-per-hour, or a price file with a line for it (--prices FILE)",
        )
    return place_on(model, hardware, hardware.accelerator, hourly, request, book, whole=True)


def _everywhere(model: Model, request: Request, book: Book) -> list[Place]:
    """One place an accelerator type that has a price of the kind asked for, with as many as a copy may need."""
    found = []
    most = max(load_yaml("frontier.yaml")["counts"])
    if request.price.provider:
        known_provider(price_table(request.price.file), request.price.provider)
    for gpu in known_accelerators():
        count = 1 if gpu.interconnect == ALONE else most
        hardware = Hardware(label=gpu.name, accelerator=gpu, count=count)
        hourly = _price_if_any(request, hardware)
        if hourly is not None:
            found.append(place_on(model, hardware, gpu, hourly, request, book, whole=False))
    if not found:
        wanted = " ".join(filter(None, (request.price.provider, request.price.kind)))
        raise BadInput(f"no accelerator has a price: {wanted}", fix="`quantplan prices` lists what there is")
    return found


def _price_if_any(request: Request, hardware: Hardware) -> HourlyPrice | None:
    """None also where the provider or the kind asked for does not rent it: of all hardware, that is left out."""
    try:
        return hourly_price(request.price, hardware)
    except BadInput:
        return None


def place_on(
    model: Model,
    hardware: Hardware,
    gpu: Accelerator,
    hourly: HourlyPrice,
    request: Request,
    book: Book,
    *,
    whole: bool,
) -> Place:
    """One kind of hardware as a place, with what the engines offer there and what the rules tell to avoid."""
    one = replace(hardware, count=hardware.count if whole else 1)
    spoken = Deliberation(book, gather_facts(model, one, request), request).vetoes.spoke
    avoided = {value: said.rule for said in spoken for value in said.outcome.avoid}
    avoided |= {f"{value} KV": said.rule for said in spoken for value in said.outcome.avoid_kv}
    avoided |= {f"on {value}": said.rule for said in spoken for value in said.outcome.avoid_engines}
    for insisted in (request.format or "", f"{request.kv_cache} KV", f"on {request.engine}"):
        avoided.pop(insisted, None)
    return Place(hardware, gpu, hourly, _offers(hardware, request), avoided, whole)


def _offers(hardware: Hardware, request: Request) -> tuple[Offer, ...]:
    """What can run here of what was asked; engines that do not batch continuously only when asked for."""
    return tuple(
        offer
        for offer in offers(hardware)
        if (request.engine == offer.engine or (request.engine is None and is_server(offer.engine)))
        and request.format in (None, offer.format)
        and request.kv_cache in (None, offer.kv_format)
    )
