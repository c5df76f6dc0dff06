"""Building blocks with a fixed state per sequence: Mamba 1 and 2, gated delta net, KDA, short convolution.

Each block has its weight tensors (`*_matrices`, for `layers.count` layers) and its state (`RecurrentLayers`, in
elements a sequence): the recurrent state, and the last `kernel - 1` inputs of its convolution.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.models.config import Config
from planner.models.layers import Matrices, dense, linear, norm, vector
from planner.models.shape import RecurrentKind, RecurrentLayers


def recurrent_vector(role: str, length: int, copies: int) -> Matrices:
    return vector("recurrent", role, length, copies)


def convolution(channels: int, kernel: int, copies: int, *, bias: bool) -> Matrices:
    """A depth-wise convolution over the last `kernel` tokens."""
    weight = dense("recurrent", "conv1d", channels, kernel, copies)
    return [*weight, *(recurrent_vector("conv1d_bias", channels, copies) if bias else [])]


@dataclass(frozen=True, slots=True)
class Mamba2:
    """Mamba 2: `heads` heads of `head_dim`, each with a state of `state` numbers a channel."""

    heads: int
    head_dim: int
    groups: int
    state: int
    kernel: int
    conv_bias: bool
    norm: bool = True

    @property
    def inner(self) -> int:
        return self.heads * self.head_dim

    @property
    def channels(self) -> int:
        return self.inner + 2 * self.groups * self.state

    def layers(self, count: int) -> RecurrentLayers:
        past = self.kernel - 1
        return RecurrentLayers(count, "mamba2", self.inner * self.state, self.channels * past, self.channels)

    def matrices(self, hidden: int, copies: int) -> Matrices:
        return [
            *linear("recurrent", "in_proj", self.inner + self.channels + self.heads, hidden, copies),
            *convolution(self.channels, self.kernel, copies, bias=self.conv_bias),
            *recurrent_vector("a_d_dt", 3 * self.heads, copies),
            *norm(self.inner if self.norm else 0, copies, role="recurrent_norm"),
            *linear("recurrent", "out_proj", hidden, self.inner, copies),
        ]


@dataclass(frozen=True, slots=True)
class Mamba1:
    """Mamba 1: `inner` channels with a state of `state` numbers each; Jamba adds norms on the projected inputs."""

    inner: int
    state: int
    kernel: int
    rank: int
    conv_bias: bool
    proj_bias: bool
    norms: bool = False

    def layers(self, count: int) -> RecurrentLayers:
        past = self.kernel - 1
        return RecurrentLayers(count, "mamba1", self.inner * self.state, self.inner * past, self.inner)

    def matrices(self, hidden: int, copies: int) -> Matrices:
        projected = self.rank + 2 * self.state
        return [
            *linear("recurrent", "in_proj", 2 * self.inner, hidden, copies, bias=self.proj_bias),
            *convolution(self.inner, self.kernel, copies, bias=self.conv_bias),
            *linear("recurrent", "x_proj", projected, self.inner, copies),
            *linear("recurrent", "dt_proj", self.inner, self.rank, copies, bias=True),
            *dense("recurrent", "a_log", self.inner, self.state, copies),
            *recurrent_vector("d", self.inner, copies),
            *norm(projected if self.norms else 0, copies, role="recurrent_norm"),
            *linear("recurrent", "out_proj", hidden, self.inner, copies, bias=self.proj_bias),
        ]


@dataclass(frozen=True, slots=True)
class DeltaNet:
    """Gated delta net (Qwen3-Next): each value head keeps a key x value matrix."""

    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    kernel: int

    @property
    def keys(self) -> int:
        return self.key_heads * self.key_dim

    @property
    def values(self) -> int:
        return self.value_heads * self.value_dim

    def layers(self, count: int, kind: RecurrentKind = "gated_delta_net") -> RecurrentLayers:
        state = self.value_heads * self.key_dim * self.value_dim
        channels = 2 * self.keys + self.values
        return RecurrentLayers(count, kind, state, channels * (self.kernel - 1), channels)

    def matrices(self, hidden: int, copies: int) -> Matrices:
        return [
            *linear("recurrent", "in_proj_qkvz", 2 * (self.keys + self.values), hidden, copies),
            *linear("recurrent", "in_proj_ba", 2 * self.value_heads, hidden, copies),
            *convolution(2 * self.keys + self.values, self.kernel, copies, bias=False),
            *recurrent_vector("a_dt", 2 * self.value_heads, copies),
            *norm(self.value_dim, copies, role="recurrent_norm"),
            *linear("recurrent", "out_proj", hidden, self.values, copies),
        ]

    def kda_matrices(self, hidden: int, copies: int, *, full_rank_gate: bool = False) -> Matrices:
        """Kimi delta attention: a finer forget gate, of low rank like the output gate (but Kimi K3's)."""
        rank = self.value_dim
        low_rank_gate = [
            *linear("recurrent", "g_a_proj", rank, hidden, copies),
            *linear("recurrent", "g_b_proj", self.values, rank, copies),
        ]
        return [
            *linear("recurrent", "q_proj", self.keys, hidden, copies),
            *linear("recurrent", "k_proj", self.keys, hidden, copies),
            *linear("recurrent", "v_proj", self.values, hidden, copies),
            *convolution(2 * self.keys + self.values, self.kernel, copies, bias=False),
            *linear("recurrent", "f_a_proj", rank, hidden, copies),
            *linear("recurrent", "f_b_proj", self.keys, rank, copies),
            *linear("recurrent", "b_proj", self.value_heads, hidden, copies),
            *(linear("recurrent", "g_proj", self.values, hidden, copies) if full_rank_gate else low_rank_gate),
            *recurrent_vector("a_dt", self.value_heads + self.keys, copies),
            *norm(self.value_dim, copies, role="recurrent_norm"),
            *linear("recurrent", "o_proj", hidden, self.values, copies),
        ]


def read_mamba2(config: Config, hidden: int) -> Mamba2:
    """Mamba 2 under any of its spellings (Granite 4 and Falcon-H1, Nemotron-H, Mamba2 itself)."""
    expanded = config.integer("mamba_expand", "expand", default=2) * hidden
    heads = config.integer("mamba_n_heads", "mamba_num_heads", "num_heads")
    inner = config.integer("mamba_d_ssm", default=expanded)
    own_head_dim = config.has("mamba_d_head", "mamba_head_dim") and config.values.get("mamba_d_head") != "auto"
    head_dim = config.integer("mamba_d_head", "mamba_head_dim") if own_head_dim else inner // heads
    return Mamba2(
        heads=heads,
        head_dim=head_dim,
        groups=config.integer("mamba_n_groups", "n_groups", default=1),
        state=config.integer("mamba_d_state", "ssm_state_size", "state_size"),
        kernel=config.integer("mamba_d_conv", "conv_kernel", default=4),
        conv_bias=config.flag("mamba_conv_bias", config.flag("use_conv_bias", True)),
    )


def read_mamba1(config: Config, hidden: int, *, norms: bool = False) -> Mamba1:
    rank = -(-hidden // 16)
    named = config.has("mamba_dt_rank", "time_step_rank") and "auto" not in (
        config.values.get("mamba_dt_rank"),
        config.values.get("time_step_rank"),
    )
    return Mamba1(
        inner=config.integer("mamba_expand", "expand", default=2) * hidden,
        state=config.integer("mamba_d_state", "state_size", default=16),
        kernel=config.integer("mamba_d_conv", "conv_kernel", default=4),
        rank=config.integer("mamba_dt_rank", "time_step_rank") if named else rank,
        conv_bias=config.flag("mamba_conv_bias", config.flag("use_conv_bias", True)),
        proj_bias=config.flag("mamba_proj_bias", config.flag("use_bias", False)),
        norms=norms,
    )


def read_delta_net(config: Config) -> DeltaNet:
    return DeltaNet(
        key_heads=config.integer("linear_num_key_heads"),
        value_heads=config.integer("linear_num_value_heads"),
        key_dim=config.integer("linear_key_head_dim"),
        value_dim=config.integer("linear_value_head_dim"),
        kernel=config.integer("linear_conv_kernel_dim", default=4),
    )
