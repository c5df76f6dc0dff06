"""The two giga-units, never mixed: GB (10^9 bytes, datasheets and prices) and GiB (2^30 bytes, what engines print)."""

from __future__ import annotations

GB = 10**9
GIB = 2**30
MIB = 2**20
