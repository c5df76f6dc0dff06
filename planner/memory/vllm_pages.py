"""How vLLM lays a KV pool out where layers differ: groups of layers share pages of one size.

Layers of a kind (full, sliding, recurrent) form groups of equal size; a block holds one page for each layer of a group.
Where all layers keep the whole context they are one group, each with pages of its own size (UniformTypeKVCacheSpecs).
A request takes blocks of every group: full layers for its whole context, sliding ones for their window and the step
being written, recurrent ones one for each state they keep (vllm/v1/core/kv_cache_utils.py, get_kv_cache_groups).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from planner.memory.kv_cache import CachedLayers, KvCache, padded

SIMILAR_COUNTS = 1.25


@dataclass(frozen=True)
class Pages:
    """The layout of one GPU's pool. `step_tokens` is the most tokens one step writes.

    `states_per_request`: states a request keeps in each recurrent layer, more than one for prefix caching and drafts;
    layers of `checkpointed_kinds` keep one more, a checkpoint written during the prefill.
    `counts_groups`: older versions report tokens as blocks divided by groups, newer ones as requests of full length.
    `counts_blocks`: models that only have full attention report the tokens of their blocks instead.
    """

    kv: KvCache
    block_tokens: int
    step_tokens: int
    states_per_request: int = 1
    counts_groups: bool = False
    counts_blocks: bool = False
    checkpointed_kinds: tuple[str, ...] = ()

    @cached_property
    def page_bytes(self) -> float:
        """Bytes of one layer's page: a block of the widest attention layer, enlarged to hold a recurrent state."""
        widest = max((part.layer_bytes_per_token for part in self.kv.layers), default=0.0)
        state = max((part.layer_bytes for part in self.kv.states), default=0.0)
        if not widest:
            return state
        return widest * max(self.block_tokens, padded(int(-(-state // widest)), self.block_tokens))

    @property
    def attention_block_tokens(self) -> int:
        """Tokens a page of the widest attention layer holds: vLLM's block size once pages are equal."""
        widest = max((part.layer_bytes_per_token for part in self.kv.layers), default=0.0)
        return int(self.page_bytes // widest) if widest else self.block_tokens

    @cached_property
    def group_size(self) -> int:
        """Layers a group has: those of the rarest kind, or of the commonest where the kinds are nearly as many."""
        counts = self._counts
        if not counts:
            return 0
        return max(counts) if max(counts) < SIMILAR_COUNTS * min(counts) else min(counts)

    @cached_property
    def block_bytes(self) -> float:
        """Bytes of one block of the pool."""
        if self.kv.is_proportional:
            return self.kv.bytes_per_token * self.block_tokens
        return self.page_bytes * self.group_size

    def request_blocks(self, context_tokens: int) -> int:
        """Blocks one request of that length may take at most."""
        if self.kv.is_proportional:
            return -(-context_tokens // self.block_tokens)
        blocks = self.state_blocks
        for part in self.kv.layers:
            blocks += self._groups(part.count) * self.layer_blocks(part, context_tokens)
        return blocks

    def sequence_bytes(self, context_tokens: int) -> float:
        """Bytes of one request of that length."""
        return self.request_blocks(context_tokens) * self.block_bytes if self._counts else 0.0

    def tokens(self, pool_bytes: float, context_tokens: int) -> int:
        """Tokens vLLM reports for the pool: as many requests of that context as it holds, in tokens."""
        if pool_bytes <= 0 or not self._counts:
            return 0
        blocks = int(pool_bytes // self.block_bytes)
        if self.counts_blocks and self.kv.is_proportional:
            return blocks * self.block_tokens
        if self.counts_groups and not self.kv.is_proportional:
            groups = sum(self._groups(count) for count in self._counts)
            return blocks // groups * self.attention_block_tokens
        return int(blocks / self.request_blocks(context_tokens) * context_tokens)

    def layer_blocks(self, part: CachedLayers, context_tokens: int) -> int:
        """Blocks one group of such layers takes for a request of that length."""
        tokens = int(self.page_bytes // part.layer_bytes_per_token)
        if part.window_tokens is None:
            return -(-context_tokens // tokens)
        if part.is_chunked:
            return -(-min(part.window_tokens + self.step_tokens, context_tokens) // tokens)
        return -(-min(part.window_tokens - 1 + self.step_tokens, context_tokens) // tokens) + 1

    @cached_property
    def state_blocks(self) -> int:
        """Blocks the recurrent layers of one request take, however long it is."""
        return sum(
            self._groups(part.count) * (self.states_per_request + (part.kind in self.checkpointed_kinds))
            for part in self.kv.states
        )

    def _groups(self, layers: int) -> int:
        return -(-layers // self.group_size)

    @cached_property
    def _counts(self) -> list[int]:
        return [*(part.count for part in self.kv.layers), *(part.count for part in self.kv.states)]
