"""Slow and obvious twins of the kernels, written from their definitions."""

from __future__ import annotations

import math

import numpy as np

MASK = 2**64 - 1


def philox_words(key, sample, count):
    """Philox4x64-10 with Python's integers: the first words of the stream (key, sample)."""
    words = []
    block = 1
    while len(words) < count:
        k0, k1 = (int(part) for part in key)
        a, b, c, d = block, 0, sample, 0
        for _ in range(10):
            product_a, product_c = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
            a, b, c, d = (
                (product_c >> 64) ^ b ^ k0,
                product_c & MASK,
                (product_a >> 64) ^ d ^ k1,
                product_a & MASK,
            )
            k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
        words += [a, b, c, d]
        block += 1
    return words[:count]


def random_bits(key, first, count, k):
    rows = []
    for p in range(count):
        words = philox_words(key, first + p, -(-k // 64))
        rows.append([words[bit // 64] >> (bit % 64) & 1 for bit in range(k)])
    return np.array(rows, np.uint8).reshape(count, k)


def standard_normal(key, first, count, n):
    rows = []
    for s in range(count):
        words = philox_words(key, first + s, n + n % 2)
        row = []
        for word_a, word_b in zip(words[::2], words[1::2], strict=True):
            radius = math.sqrt(-2 * math.log(((word_a >> 11) + 1) / 2**53))
            angle = 2 * math.pi * (word_b >> 11) / 2**53
            row += [radius * math.cos(angle), radius * math.sin(angle)]
        rows.append(row[:n])
    return np.array(rows, np.float32).reshape(count, n)


def masked_pictures(rows, labels, picture, fill):
    """(B, K), (HW,), (C, HW), (K, C) -> (B, C, HW)."""
    return np.stack([np.where(row[labels] != 0, picture, fill[labels].T) for row in rows])


def segment_means(canvas, labels, k):
    return np.array([canvas[labels == label].mean(axis=0) for label in range(k)])


def lime_weights(rows, kernel_width):
    everything = np.ones(rows.shape[1])
    weights = []
    for row in rows.astype(float):
        norms = np.linalg.norm(row) * np.linalg.norm(everything)
        distance = 1 - row @ everything / norms if norms else 1.0
        weights.append(math.sqrt(math.exp(-(distance**2) / kernel_width**2)))
    return np.array(weights)


def ridge(rows, weights, targets, alpha):
    """Coefficients (T, K), intercepts (T,), R^2 (T,), standard errors (T, K), from the uncentred normal equations."""
    count, k = rows.shape
    design = np.column_stack([np.ones(count), rows])
    penalty = alpha * np.diag([0.0] + [1.0] * k)
    bread = np.linalg.inv(design.T @ np.diag(weights) @ design + penalty)
    beta = bread @ design.T @ np.diag(weights) @ targets
    residuals = targets - design @ beta
    r2, errors = [], []
    for t in range(targets.shape[1]):
        spread = np.average((targets[:, t] - np.average(targets[:, t], weights=weights)) ** 2, weights=weights)
        r2.append(1 - np.average(residuals[:, t] ** 2, weights=weights) / spread)
        meat = design.T @ np.diag((weights * residuals[:, t]) ** 2) @ design
        sandwich = bread @ meat @ bread * count / (count - k - 1)
        errors.append(np.sqrt(np.diag(sandwich)[1:]))
    return beta[1:].T, beta[0], np.array(r2), np.array(errors)


def vote_squared_norm(values, weights):
    shares = [w * (v**2 / np.linalg.norm(v) if v.any() else v * 0.0) for v, w in zip(values, weights, strict=True)]
    return sum(shares) / sum(weights)


def minmax(values):
    low, high = min(values), max(values)
    return np.array([(v - low) / (high - low) if high > low else 0.0 for v in values])


def vote_minmax_mean(values, weights):
    return np.average([minmax(row.astype(float)) for row in values], axis=0, weights=weights)


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) if a.any() and b.any() else math.nan


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True)))


def average_precision(scores, positive):
    """Lower the threshold over the distinct scores; each step adds the recall gained times the precision there."""
    if not positive.any():
        return math.nan
    area, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        new_recall = (chosen & positive).sum() / positive.sum()
        area += (new_recall - recall) * (chosen & positive).sum() / chosen.sum()
        recall = new_recall
    return area


def average_matrix(size_in, size_out):
    """Box overlaps counted on a grid fine enough for both sizes to divide it."""
    fine = np.arange(size_in * size_out)
    matrix = np.zeros((size_out, size_in))
    np.add.at(matrix, (fine // size_in, fine // size_out), 1.0 / size_in)
    return matrix


def bilinear_at(row, size_out):
    """Half-pixel centres, edges clamped, one output at a time."""
    out = []
    for i in range(size_out):
        x = min(max((i + 0.5) * len(row) / size_out - 0.5, 0.0), len(row) - 1.0)
        left = min(int(x), len(row) - 2) if len(row) > 1 else 0
        share = x - left
        out.append(row[left] if len(row) == 1 else (1 - share) * row[left] + share * row[left + 1])
    return np.array(out)


def vote(method, values, weights):
    """Every vote from its definition; values (M, N)."""
    values = np.asarray(values, float)
    if method == "lime_paper":
        return vote_squared_norm(values, weights)
    if method == "minmax_mean":
        return vote_minmax_mean(values, weights)
    if method == "mean_absolute":
        return np.average(abs(values), axis=0, weights=weights)
    if method == "m4":
        return np.average(values**2, axis=0, weights=weights)
    if method == "median":  # for whole weights: as if a member of weight 3 stood there three times
        scaled = np.array([minmax(row) for row in values])
        return np.median(np.repeat(scaled, np.asarray(weights, int), axis=0), axis=0)
    ranks = [[(row < v).sum() + ((row == v).sum() - 1) / 2 for v in row] for row in abs(values)]
    return np.average(np.array(ranks) / max(values.shape[1] - 1, 1), axis=0, weights=weights)


def compare(values, method, measure, form, weights):
    """Consensus, raw similarities, and the same with each member really left out."""
    forms = {"absolute": np.abs, "signed": np.array, "squared": np.square}

    def near(member, consensus):
        return cosine(forms[form](member), consensus) if measure == "cosine" else distance(minmax(member), consensus)

    consensus = vote(method, values, weights)
    raw = [near(member, consensus) for member in values]
    alone = []
    for m, member in enumerate(values):
        rest = np.delete(weights, m)
        others = vote(method, np.delete(values, m, axis=0), rest) if rest.sum() else None
        alone.append(math.nan if others is None else near(member, others))
    return consensus, np.array(raw), np.array(alone)
