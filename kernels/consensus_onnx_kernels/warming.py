"""Compile the kernels once, before several processes would each do it."""

from __future__ import annotations

import numpy as np

from consensus_onnx_kernels import masking, noise, ranking, ridge, similarity, votes


def compile_kernels() -> None:
    """Run every kernel on a few numbers in the types an audit on the CPU uses.

    Takes 10 to 17 seconds the first time and a third of a second once the cache on disk is filled. Without it, workers
    started together each compile everything for themselves: six of them on two cores took 50 seconds.
    """
    key = np.zeros(2, np.uint64)
    rows = noise.random_bits(key, 0, 20, 3)
    normals = noise.standard_normal(key, 0, 1, 20)
    weights = ridge.lime_weights(rows, 0.25)
    means, factor, _ = ridge.weighted_design(rows, weights, np.ones(rows.shape[1]))
    targets = np.ascontiguousarray(normals.T, dtype=np.float64)
    coefficients, intercepts = ridge.solve(factor, rows, weights, means, targets)
    ridge.fit_statistics(factor, rows, weights, means, targets, coefficients, intercepts)

    labels = np.array([0, 1, 2, 0], np.int32)
    masking.segment_means(np.zeros((4, 3), np.uint8), labels, 3)
    picture = np.zeros((3, 4), np.float32)
    masking.mask_batch(rows, labels, picture, picture, np.empty((20, 3, 4), np.float32))

    consensus = votes.vote_squared_norm(coefficients, np.ones(1))
    votes.vote_minmax_mean(coefficients, np.ones(1))
    votes.minmax(consensus)
    similarity.cosine(coefficients, consensus[np.newaxis])
    similarity.distance(coefficients, consensus[np.newaxis])
    ranking.average_precision(consensus, consensus > 0)
    ranking.average_precision(normals[0], normals[0] > 0)
