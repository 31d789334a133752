"""What an unchanged model would show if it were explained again with other random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from consensus_onnx.arrays import AnyArray, Float64Array, require


@dataclass(frozen=True)
class RerunRange:
    """Where the mean over images of one rerun lies.

    Attributes
    ----------
    mean : float
        To expect; nan where nothing is known.
    low, high : float
        It lies above the one, and below the other, with the confidence asked for.
    spread : float
        Standard deviation of a rerun's number from image to image.
    """

    mean: float
    low: float
    high: float
    spread: float


def predicted_reruns(values: AnyArray, standard_error: AnyArray, draws: int, seed: int = 0) -> Float64Array:
    """Draw what reruns of an explanation with other random numbers would look like, from its own standard errors.

    Parameters
    ----------
    values : ndarray of any shape, float
        The explanation.
    standard_error : ndarray of the same shape, float
        Of each value; where it is not finite the value is left as it is.
    draws : int
        Reruns to draw, R.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of shape (R, ...), float64
        The reruns.

    Raises
    ------
    ValueError
        If shapes differ or draws is below 1.

    Notes
    -----
    Values v = t + n are taken as true weights t, normal around their mean m with variance A, and noise n, normal with
    the variance of the standard error, s^2. A rerun t + n' given v is then normal around m + w (v - m) with variance
    s^2 + w s^2, where w = A / (A + s^2), and A is the variance of the values less the mean s^2 (at least 0): the
    normal model of Efron and Morris, "Data analysis using Stein's estimator" (JASA 70, 1975). Adding noise to v itself
    would count the noise it holds already twice.
    """
    _check(values, standard_error, draws)
    given = values.astype(np.float64)
    error = standard_error.astype(np.float64)
    noise = np.where(np.isfinite(error), error, 0.0) ** 2
    middle = given.mean()
    true = max(float(given.var() - noise.mean()), 0.0)
    total = true + noise
    share = np.divide(true, total, out=np.ones_like(total), where=total > 0)
    centre, deviation = middle + share * (given - middle), np.sqrt(noise * (1 + share))
    rng = np.random.default_rng(seed)
    drawn: Float64Array = centre + deviation * rng.standard_normal((draws, *given.shape))
    return drawn


def predicted_map_reruns(
    values: AnyArray, standard_error: AnyArray, draws: int, seed: int = 0, *, channels: int = 3
) -> Float64Array:
    """Draw what reruns of a map of summed magnitudes would look like, from its own standard errors.

    Parameters
    ----------
    values, standard_error : ndarray of shape (h, w), float
        Sum over channels of the absolute mean gradient, and its standard error (the root of the summed squares).
    draws, seed : int
        As in `predicted_reruns`.
    channels : int
        Of the member's input, C: each is taken to have an equal share of value and error.

    Returns
    -------
    ndarray of shape (R, h, w), float64
        The reruns, not negative.

    Notes
    -----
    As `predicted_reruns`, but for the signed means below the magnitudes, which lie around zero, and with a variance
    that goes with the pixel's own error, because gradients and their noise are large at the same pixels: a rerun of a
    channel's mean m is normal around w m with variance s^2 (1 + w), w = 1 - sum s^2 / sum m^2 over the map, at least
    0. Taking the magnitudes themselves for normal instead predicts ten times the drop in the RBF that reruns show,
    because it fills in the dark parts of a map.
    """
    _check(values, standard_error, draws)
    mean = values.astype(np.float64) / channels
    error = standard_error.astype(np.float64)
    noise = np.where(np.isfinite(error), error, 0.0) ** 2 / channels
    power = float(np.sum(mean**2))
    share = max(0.0, 1.0 - float(np.sum(noise)) / power) if power > 0 else 0.0
    rng = np.random.default_rng(seed)
    drawn: Float64Array = np.zeros((draws, *mean.shape))
    for one in drawn:
        for _ in range(channels):
            one += np.abs(share * mean + np.sqrt(noise * (1 + share)) * rng.standard_normal(mean.shape))
    return drawn


def rerun_range(reruns: Float64Array, *, level: float = 0.95) -> RerunRange:
    """Say where the mean over images of one more rerun lies.

    Parameters
    ----------
    reruns : ndarray of shape (R, I), float64
        A number of each of R reruns on each image; an image with a nan is left out.
    level : float
        Confidence of either end, between 0.5 and 1.

    Returns
    -------
    RerunRange
        Mean, ends and spread.

    Raises
    ------
    ValueError
        If an argument cannot be used.

    Notes
    -----
    Random numbers of different pictures are independent, so the variance of a rerun's mean is the sum over images of
    the variance over reruns, divided by I^2; a mean of R reruns adds its own share, 1 / R. With one rerun alone the
    variance from image to image stands in, which is larger. The ends are those of a normal, a mean of many pictures
    being one: a prediction interval for one future mean (Hahn and Meeker, "Statistical Intervals", 1991, chapter 4).
    """
    require("reruns", reruns, shape=("R", "I"), dtype=np.float64)
    if not 0.5 < level < 1:
        raise ValueError(f"level: must be > 0.5 and < 1, got {level}")
    known = reruns[:, np.isfinite(reruns).all(axis=0)] if reruns.size else reruns[:, :0]
    count, images = known.shape
    if not known.size:
        return RerunRange(*(4 * (math.nan,)))
    mean = float(known.mean())
    spread = float(known.std(axis=1, ddof=1).mean()) if images > 1 else math.nan
    if count > 1:
        variance = float(known.var(axis=0, ddof=1).sum()) / images**2
    elif images > 1:
        variance = spread**2 / images
    else:
        variance = math.nan
    from scipy.stats import norm  # here, because importing it takes half a second

    reach = float(norm.ppf(level)) * math.sqrt(variance * (1 + 1 / count))
    return RerunRange(mean, mean - reach, mean + reach, spread)


def _check(values: AnyArray, standard_error: AnyArray, draws: int) -> None:
    if values.shape != standard_error.shape:
        raise ValueError(f"standard_error: expected shape {values.shape} of the values, got {standard_error.shape}")
    if draws < 1:
        raise ValueError(f"draws: must be >= 1, got {draws}")
