"""What a day's requests waited for, counted in logarithmic classes as they come, so that a day needs little memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from planner.fits.arrays import Floats

LEAST_MS, CLASSES_A_DECADE, DECADES = 0.1, 200, 9
CLASSES = CLASSES_A_DECADE * DECADES
PERCENTILES = (50.0, 95.0, 99.0, 99.9)


@dataclass(slots=True)
class Tally:
    """Counts by class; a class is 1.2 % wide. Waits beyond the last class count as in it."""

    counts: Floats = field(default_factory=lambda: np.zeros(CLASSES))

    def add(self, milliseconds: Floats, weights: Floats) -> None:
        """Rows of equal shares (copies x quantiles), with the requests of each row."""
        place = np.log10(np.maximum(milliseconds, LEAST_MS) / LEAST_MS) * CLASSES_A_DECADE
        each = np.broadcast_to((weights / milliseconds.shape[1])[:, None], milliseconds.shape)
        numbers = np.minimum(place.astype(np.int64), CLASSES - 1)
        self.counts += np.bincount(numbers.ravel(), weights=each.ravel(), minlength=CLASSES)

    def percentiles(self) -> tuple[float, ...]:
        """Milliseconds that 50, 95, 99 and 99.9 of 100 requests stay within; zeros where there is none."""
        sums = np.cumsum(self.counts)
        if not sums[-1]:
            return (0.0,) * len(PERCENTILES)
        places = np.searchsorted(sums, np.array(PERCENTILES) / 100 * sums[-1])
        return tuple(float(LEAST_MS * 10 ** ((place + 0.5) / CLASSES_A_DECADE)) for place in places)
