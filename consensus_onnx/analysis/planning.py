"""What a score's error is made of, images and samples, and how best to spend a given time on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from consensus_onnx.arrays import Float64Array, require


@dataclass(frozen=True)
class ErrorSources:
    """What puts members' scores off against each other, pooled over members.

    Attributes
    ----------
    images : float
        Variance of a score from image to image, had every explanation endless samples; what a mean over I images
        keeps of it is 1 / I.
    samples : float
        Variance of one image's score that one free sample would leave; n of them leave 1 / n of it.
    drift : float
        By how much noise lowers members' scores differently: with n free samples a score is off by drift / n, however
        many images there are.
    spread : float
        Standard deviation of the members' true scores: what is to be told apart.
    bound : float
        Samples that are not free: what a fit of K weights takes, K; 0 for a mean.

    Notes
    -----
    All four are of scores less the committee's mean on the same image: an image on which everybody scores low puts
    nobody off against anybody.
    """

    images: float
    samples: float
    drift: float
    spread: float
    bound: float = 0.0

    def variances(self, images: int, samples: int) -> tuple[float, float, float]:
        """Return what images, samples and drift add to the mean squared error of a score.

        Raises
        ------
        ValueError
            If no sample is free.
        """
        free = samples - self.bound
        if free <= 0:
            raise ValueError(f"samples: must be above {self.bound:g}, which the fit takes, got {samples}")
        return self.images / images, self.samples / free / images, (self.drift / free) ** 2

    def error(self, images: int, samples: int) -> float:
        """Return the root of the mean squared error of a score over so many images with so many samples each."""
        return math.sqrt(sum(self.variances(images, samples)))


def error_sources(
    first: Float64Array, second: Float64Array, whole: Float64Array, samples: int, bound: float = 0.0
) -> ErrorSources:
    """Estimate what puts scores off from three audits of the same members and images.

    Parameters
    ----------
    first, second : float64 (M, I)
        Scores of two audits with other random numbers and `samples` samples each; NaN where there is none.
    whole : float64 (M, I)
        Of a third one with twice as many.
    samples : int
        Of each of the first two.
    bound : float
        How many of them are not free, less than `samples`: the weights of a least-squares fit.

    Raises
    ------
    ValueError
        If fewer than two members have scores on the same three images, or no sample is free.

    Notes
    -----
    With s(n) = s - b / n + noise of variance v / n for n free samples and images of variance t: the difference of the
    first two has variance 2 v / n, their mean t + v / 2n, and whole - mean lies around b / n - b / n', with n' free
    ones of the whole. Of the squares of the latter, what its own standard error accounts for is taken off, so that the
    drift of a committee without one is nothing. (A least-squares fit of K weights to n rows of normal columns has
    errors of variance 1 / (n - K).)
    """
    free, free_whole = samples - bound, 2 * samples - bound
    if free <= 0:
        raise ValueError(f"samples: must be above {bound:g}, which the fit takes, got {samples}")
    shape = require("first", first, shape=("M", "I"), dtype=np.float64)
    require("second", second, shape=(shape["M"], shape["I"]), dtype=np.float64)
    require("whole", whole, shape=(shape["M"], shape["I"]), dtype=np.float64)
    tables = np.stack([first, second, whole])
    tables = tables[:, np.isfinite(tables).any(axis=(0, 2))]
    tables = tables[:, :, np.isfinite(tables).all(axis=(0, 1))]
    _, members, images = tables.shape
    if members < 2 or images < 3:
        raise ValueError(f"a plan needs 2 members with scores on the same 3 images, got {members} on {images}")
    tables = tables - tables.mean(axis=1, keepdims=True)
    fair = members / (members - 1)  # what taking off the mean of so few hides of independent errors
    one, other, both = tables
    between, mean = one - other, (one + other) / 2
    noise = float((between**2).mean()) / 2 * fair  # of one image's score, with `samples` samples
    total = float(mean.var(axis=1, ddof=1).mean()) * fair
    rise = both - mean
    squared = float((rise.mean(axis=1) ** 2).mean()) * fair
    by_chance = float((rise.var(axis=1, ddof=1) / images).mean()) * fair
    drift = math.sqrt(max(0.0, squared - by_chance)) / (1 / free - 1 / free_whole)
    between_images = max(0.0, total - noise / 2)
    scores = tables.mean(axis=(0, 2))
    error = (between_images + noise * (2 + free / free_whole) / 9) / images
    spread = math.sqrt(max(0.0, float((scores**2).sum()) / (members - 1) - error))
    return ErrorSources(between_images, noise * free, drift, spread, bound)


@dataclass(frozen=True)
class Split:
    """One way to spend a time.

    Attributes
    ----------
    images : int
        How many.
    samples : dict of str to int
        Per member and image, by explainer.
    seconds : float
        What it takes.
    errors : dict of str to float
        Of a score, by explainer.
    """

    images: int
    samples: Mapping[str, int]
    seconds: float
    errors: Mapping[str, float]


def best_split(
    sources: Mapping[str, ErrorSources],
    costs: Mapping[str, float],
    choices: Mapping[str, Sequence[int]],
    seconds: float,
    available: int,
) -> Split | None:
    """Return the split of a time with the least error, None where it does not suffice for two images.

    Parameters
    ----------
    sources : mapping of str to ErrorSources
        By explainer.
    costs : mapping of str to float
        Seconds of one sample on one image with all members.
    choices : mapping of str to sequence of int
        Samples that may be chosen.
    seconds : float
        The time.
    available : int
        Images there are.

    Notes
    -----
    Explainers share the images. Their squared errors are added, each as a share of that on two images with the fewest
    samples.
    """
    best: tuple[float, Split] | None = None
    names = list(sources)
    units = {name: sources[name].error(2, min(choices[name])) or 1.0 for name in names}
    for numbers in product(*(choices[name] for name in names)):
        samples = dict(zip(names, numbers, strict=True))
        made = split_of(sources, costs, samples, seconds, available)
        if made is None:
            continue
        loss = sum((made.errors[name] / units[name]) ** 2 for name in names)
        if best is None or loss < best[0]:
            best = loss, made
    return None if best is None else best[1]


def split_of(
    sources: Mapping[str, ErrorSources],
    costs: Mapping[str, float],
    samples: Mapping[str, int],
    seconds: float,
    available: int,
) -> Split | None:
    """Return what given samples leave of a time: as many images as there are or fit; None below two."""
    each = sum(costs[name] * samples[name] for name in sources)
    images = min(available, int(seconds / each))
    if images < 2:
        return None
    errors = {name: source.error(images, samples[name]) for name, source in sources.items()}
    return Split(images, dict(samples), images * each, errors)
