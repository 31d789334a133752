"""The smallest change a comparison of so many images could have found, and how many images a smaller one needs."""

from __future__ import annotations

import math


def smallest_change(
    spread: float, images: int, *, threshold: float = 0.0, level: float = 0.95, power: float = 0.8
) -> float:
    """Return the least true change of a mean that is found above a threshold more often than not.

    Parameters
    ----------
    spread : float
        Standard deviation of the change from image to image.
    images : int
        I, at least 1.
    threshold : float
        What the lower bound of the mean must exceed.
    level : float
        Confidence of that bound.
    power : float
        Probability of finding it, between 0.5 and 1.

    Returns
    -------
    float
        In the unit of spread and threshold; nan if one of them is.

    Notes
    -----
    threshold + (z_level + z_power) spread / sqrt(I): the sample size formula of the one-sided paired test, solved for
    the difference (Chow, Shao, Wang, "Sample Size Calculations in Clinical Research", 2nd ed. 2008, section 3.1).

    Examples
    --------
    >>> round(smallest_change(0.1, 25, threshold=0.03), 3)
    0.08
    """
    if images < 1:
        return math.nan
    return threshold + _quantiles(level, power) * spread / math.sqrt(images)


def images_needed(
    change: float, spread: float, *, threshold: float = 0.0, level: float = 0.95, power: float = 0.8
) -> int | None:
    """Return how many images find a change; `smallest_change` solved for them.

    Parameters
    ----------
    change : float
        The true change of the mean.
    spread, threshold, level, power : float
        As in `smallest_change`.

    Returns
    -------
    int or None
        At least 2; None where no number of images would do, because the change is not above the threshold.

    Examples
    --------
    >>> images_needed(0.08, 0.1, threshold=0.03)
    25
    """
    if not change > threshold or not math.isfinite(spread):
        return None
    return max(2, math.ceil((_quantiles(level, power) * spread / (change - threshold)) ** 2))


def _quantiles(level: float, power: float) -> float:
    from scipy.stats import norm  # here, because importing it takes half a second

    for name, value in (("level", level), ("power", power)):
        if not 0.5 <= value < 1:
            raise ValueError(f"{name}: must be >= 0.5 and < 1, got {value}")
    return float(norm.ppf(level) + norm.ppf(power))
