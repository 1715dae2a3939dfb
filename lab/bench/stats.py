# SPDX-License-Identifier: GPL-2.0-only
"""Medians, and how sure they are.

Samples that were taken in one boot of a machine have more in common than samples
of different boots, so that intervals come from resampling boots, not samples.
A sample set is a dict: boot -> list of values.
"""

import random

RESAMPLES = 2000
CONFIDENCE = 0.95
SEED = 1


def quantile(values, q):
    """The value at q (0 to 1) of the sorted values, interpolated."""
    values = sorted(values)
    at = q * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def median(values):
    return quantile(values, 0.5)


def pooled(samples, boots=None):
    return [v for b in (samples if boots is None else boots)
            for v in samples.get(b, ())]


def _interval(values):
    tail = (1 - CONFIDENCE) / 2
    return quantile(values, tail), quantile(values, 1 - tail)


def interval(samples, seed=SEED):
    """The bootstrap interval of the median."""
    rng = random.Random(seed)
    boots = sorted(samples)
    return _interval([
        median(pooled(samples, rng.choices(boots, k=len(boots))))
        for _ in range(RESAMPLES)])


def ratio(above, below, seed=SEED):
    """(ratio of the medians, low, high). Boots of the same name saw the same
    machine and are drawn together; with fewer than two in common, each side
    is drawn by itself."""
    rng = random.Random(seed)
    common = sorted(set(above) & set(below))
    if len(common) > 1:
        above = {b: above[b] for b in common}
        below = {b: below[b] for b in common}
    draws = []
    for _ in range(RESAMPLES):
        a = rng.choices(sorted(above), k=len(above))
        b = a if len(common) > 1 else rng.choices(sorted(below), k=len(below))
        bottom = median(pooled(below, b))
        if bottom:
            draws.append(median(pooled(above, a)) / bottom)
    bottom = median(pooled(below))
    if not draws or not bottom:
        return None
    return (median(pooled(above)) / bottom, *_interval(draws))
