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
        I; of fewer than 2 nothing can be said.
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
    threshold + (t_level + t_power) spread / sqrt(I), t of I - 1 degrees of freedom: the sample size formula of the
    one-sided paired t-test, solved for the difference (Chow, Shao, Wang, "Sample Size Calculations in Clinical
    Research", 2nd ed. 2008, section 3.1).

    Examples
    --------
    >>> round(smallest_change(0.1, 25, threshold=0.03), 3)
    0.081
    """
    if images < 2:
        return math.nan
    return threshold + _quantiles(level, power, images) * spread / math.sqrt(images)


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
    >>> images_needed(0.0815, 0.1, threshold=0.03)
    25
    """
    if not change > threshold or not math.isfinite(spread):
        return None
    scaled = (spread / (change - threshold)) ** 2
    images = max(2, math.ceil(_quantiles(level, power, None) ** 2 * scaled))  # of the normal: never too many
    while images < _quantiles(level, power, images) ** 2 * scaled:
        images += 1
    return images


def _quantiles(level: float, power: float, images: int | None) -> float:
    """Return the sum of both quantiles, of the normal if there are no images to count."""
    from scipy.stats import norm, t  # here, because importing it takes half a second

    for name, value in (("level", level), ("power", power)):
        if not 0.5 <= value < 1:
            raise ValueError(f"{name}: must be >= 0.5 and < 1, got {value}")
    kind = norm if images is None else t(images - 1)
    return float(kind.ppf(level) + kind.ppf(power))
