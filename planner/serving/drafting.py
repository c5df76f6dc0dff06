"""What drafts the tokens that a server verifies: a model of the catalogue, a head on the target, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from planner.catalog import load_yaml
from planner.errors import BadInput, nearest
from planner.memory.drafts import DraftKind, is_of_last_layer, one_layer, with_draft
from planner.models.model import Model
from planner.models.resolving import ALTERNATIVES, resolve_model
from planner.models.shape import Matrix, Shape
from planner.speed.anatomy import anatomy

NGRAM = "ngram"
HEADS = ("eagle", "mtp")


@dataclass(frozen=True, slots=True)
class Draft:
    """What proposes tokens: its `shape` (None: it looks them up in the prompt) and what it borrows of the target.

    `as_target`: stored in the target's format (else in 16 bits). `shared_parameters`: the head it borrows, which takes
    time but no memory of its own.
    """

    name: str
    shape: Shape | None
    as_target: bool = False
    shared_parameters: int = 0


def draft_named(name: str, target: Model) -> Draft:
    """The draft that `eagle`, `mtp`, `ngram` or a model's name means for this target.

    BadInput for a model nobody knows, one of another vocabulary, and MTP layers that the target does not ship.
    """
    if name == NGRAM:
        return Draft("n-grams of the prompt", None)
    if name in HEADS:
        return _head(cast(DraftKind, name), target)
    drafting = _model(name)
    theirs, ours = drafting.shape.vocab_size, target.shape.vocab_size
    if theirs != ours:
        raise BadInput(
            f"{drafting.name} cannot draft for {target.name}: its vocabulary has {theirs:,} tokens, not {ours:,}",
            fix="name a smaller model of the target's own family",
        )
    return Draft(drafting.name, drafting.shape)


def _model(name: str) -> Model:
    try:
        return resolve_model(name)
    except BadInput as unknown:
        fix = f"use eagle, mtp or ngram, or {ALTERNATIVES}"
        near = nearest(name, (*HEADS, NGRAM)) or unknown.nearest
        raise BadInput(f"--speculate: {unknown.what}", where=unknown.where, nearest=near, fix=fix) from None


def _head(kind: DraftKind, target: Model) -> Draft:
    shape = target.shape
    if kind == "mtp" and shape.family not in load_yaml("speed_names.yaml")["drafting_families"]:
        raise BadInput(f"{target.name} ships no multi-token-prediction layers", fix="use --speculate eagle or ngram")
    if kind == "mtp":
        head = tuple(matrix for matrix in shape.matrices if _gives_logits(matrix, shape))
        shared = sum(matrix.parameters for matrix in head)
        return Draft("the model's own MTP layer", alone(shape, kind, head), as_target=True, shared_parameters=shared)
    words = min(load_yaml("speculation.yaml")["eagle_vocabulary_tokens"]["value"], shape.vocab_size)
    return Draft("an EAGLE-3 head", alone(shape, kind, (Matrix("head", "lm_head", words, shape.hidden_size),)))


def alone(shape: Shape, kind: DraftKind, head: tuple[Matrix, ...]) -> Shape:
    """The one layer and projection that `with_draft` adds to the target, and the head that chooses its tokens."""
    joined = with_draft(shape, kind)
    own = tuple(one_layer(matrix, shape) for matrix in shape.matrices if is_of_last_layer(matrix, shape, kind))
    pairs = zip(joined.attention, shape.attention, strict=True)
    return replace(
        shape,
        layer_count=1,
        matrices=(*own, joined.matrices[-1], *head),
        attention=tuple(replace(more, count=1) for more, before in pairs if more.count > before.count),
        tied_embeddings=False if kind == "eagle" else shape.tied_embeddings,
        recurrent=(),
        experts=tuple(replace(layers, count=1) for layers in shape.experts[:1]) if kind == "mtp" else (),
    )


def _gives_logits(matrix: Matrix, shape: Shape) -> bool:
    return matrix.component == "head" or (shape.tied_embeddings and matrix.component == "embedding")


def cache_width(shape: Shape) -> float:
    """Elements a token leaves in the KV cache."""
    return sum(group.width for group in anatomy(shape).cache_groups)
