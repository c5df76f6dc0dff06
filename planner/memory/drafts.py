"""Draft models that speculate for a target: its own multi-token-prediction layers, or an EAGLE head."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from planner.catalog import load_yaml
from planner.models.shape import AttentionLayers, ExpertLayers, Matrix, Shape

DraftKind = Literal["mtp", "eagle"]
# Hidden states that are joined: an MTP layer's own and the token's; EAGLE-3's of three layers of the target.
JOINED = {"mtp": 2, "eagle": 3}


def with_draft(shape: Shape, kind: DraftKind) -> Shape:
    """The target with its draft: one more decoder layer, and the projection that joins what the draft reads.

    An MTP layer is like the target's last. EAGLE-3's is a plain one without experts, in 16 bits; its attention reads
    token and hidden state side by side, and it has a head over the most frequent tokens. Embeddings are the target's.
    """
    own = [one_layer(matrix, shape) for matrix in shape.matrices if is_of_last_layer(matrix, shape, kind)]
    if kind == "eagle":
        own = [*map(reading_twice, own), eagle_head(shape)]
    join = Matrix("other", "draft_projection", shape.hidden_size, JOINED[kind] * shape.hidden_size, 1)
    return replace(
        shape,
        matrices=(*shape.matrices, *own, join),
        attention=with_one_more(shape.attention),
        experts=with_one_more_routed(shape.experts) if kind == "mtp" else shape.experts,
    )


def reading_twice(matrix: Matrix) -> Matrix:
    """A matrix of EAGLE's layer: queries, keys and values of twice the width; nothing is quantized."""
    wider = 2 if matrix.role in ("q_proj", "k_proj", "v_proj") else 1
    return replace(matrix, columns=wider * matrix.columns, quantizable=False)


def eagle_head(shape: Shape) -> Matrix:
    tokens = load_yaml("speculation.yaml")["eagle_vocabulary_tokens"]["value"]
    return Matrix("head", "draft_head", min(tokens, shape.vocab_size), shape.hidden_size)


def is_of_last_layer(matrix: Matrix, shape: Shape, kind: DraftKind) -> bool:
    """True for what stands in a decoder layer with attention and, of dense and routed MLPs, in the last one's."""
    if matrix.component == "mlp":
        return kind == "eagle" or not shape.experts
    if matrix.component in ("experts", "router"):
        return kind == "mtp"
    return matrix.component == "attention"


def one_layer(matrix: Matrix, shape: Shape) -> Matrix:
    """The tensor as one layer has it: all experts of a layer count as one."""
    routed = matrix.component == "experts" and matrix.role.startswith("expert_") and shape.experts
    return replace(matrix, copies=shape.experts[0].experts if routed else 1)


def with_one_more(attention: tuple[AttentionLayers, ...]) -> tuple[AttentionLayers, ...]:
    """One more layer that sees the whole context; sliding ones only where the target has no other."""
    chosen = next((n for n, layers in enumerate(attention) if not layers.window_tokens and layers.owns_kv), 0)
    return tuple(
        replace(layers, count=layers.count + 1) if n == chosen else layers for n, layers in enumerate(attention)
    )


def with_one_more_routed(experts: tuple[ExpertLayers, ...]) -> tuple[ExpertLayers, ...]:
    return tuple(replace(layers, count=layers.count + (n == 0)) for n, layers in enumerate(experts))
