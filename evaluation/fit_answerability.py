"""Fit answerability.json: how sure the product is that its first passage answers.

`EVAL_DATA=path python -m evaluation.fit_answerability` writes the file. One set of weights is fitted on the fitting
halves of all sets together, no weight against its meaning (more of a question covered can never make less sure), so
that no set's peculiarities win; then the curve of each language is calibrated on its own halves (Platt).
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluation.data import data_folder
from evaluation.examples import SEED, Example, all_examples, halves_of
from evaluation.logistic import Array, Fitted, fit
from parley_knowledge.search import FEATURES

TARGET: Final = Path("services/knowledge/parley_knowledge/search/answerability.json")
# How much each set counts as a whole, whatever its size: visitors' own words before encyclopaedias and titles.
IMPORTANCE: Final = {("shop", "zh"): 1.0, ("shop", "en"): 1.0, ("cmrc", "zh"): 0.5, ("banking", "en"): 0.3}
PENALTY: Final = 2.0
CURVE_PENALTY: Final = 0.1
FREE: Final = frozenset({"length"})  # the one feature whose weight may have either sign


def main() -> None:
    """Fit and write."""
    examples = halves_of(asyncio.run(all_examples(data_folder()))).fit
    TARGET.write_text(json.dumps(document(examples), ensure_ascii=False, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"fitted on {len(examples)} questions; wrote {TARGET}\n")


def document(examples: Sequence[Example]) -> dict[str, Any]:
    """The file's content, fitted on these examples."""
    weights = _pooled(examples)
    counts = Counter(f"{e.set_name} {e.language}" for e in examples)
    return {
        "fitted_by": "python -m evaluation.fit_answerability",
        "method": "logistic regression, L2, weights of one sign, pooled; Platt's curve per language",
        "seed": SEED,
        "questions": dict(sorted(counts.items())),
        "languages": {language: _curve(weights, examples, language) for language in ("zh", "en")},
    }


def _pooled(examples: Sequence[Example]) -> Fitted:
    """Fit again without each feature whose weight came out against its meaning, until none does."""
    values, labels, importance = _arrays(examples)
    kept = list(range(len(FEATURES)))
    while True:
        fitted = fit(values[:, kept], labels, importance, penalty=PENALTY)
        wrong = [f for f, weight in zip(kept, fitted.weights, strict=True) if weight < 0 and FEATURES[f] not in FREE]
        if not wrong:
            return _spread(fitted, kept, values)
        kept = [f for f in kept if f not in wrong]


def _spread(fitted: Fitted, kept: list[int], values: Array) -> Fitted:
    """The features that were left out get a weight of zero."""
    means, scales, weights = np.zeros(values.shape[1]), np.ones(values.shape[1]), np.zeros(values.shape[1])
    means[kept], scales[kept], weights[kept] = fitted.means, fitted.scales, fitted.weights
    return Fitted(means, scales, weights, fitted.bias)


def _curve(pooled: Fitted, examples: Sequence[Example], language: str) -> dict[str, object]:
    values, labels, importance = _arrays([e for e in examples if e.language == language])
    logits = ((values - pooled.means) / pooled.scales) @ pooled.weights + pooled.bias
    curve = fit(logits[:, None], labels, importance, penalty=CURVE_PENALTY)
    slope = float(curve.weights[0] / curve.scales[0])
    rows = zip(FEATURES, pooled.means, pooled.scales, pooled.weights * slope, strict=True)
    return {
        "bias": round(curve.bias + slope * (pooled.bias - float(curve.means[0])), 4),
        "features": {
            name: {"mean": round(float(m), 4), "scale": round(float(s), 4), "weight": round(float(w), 4)}
            for name, m, s, w in rows
        },
    }


def _arrays(examples: Sequence[Example]) -> tuple[Array, Array, Array]:
    sizes = Counter((e.set_name, e.language) for e in examples)
    values = np.array([astuple(e.evidence) for e in examples], np.float64)
    labels = np.array([e.right for e in examples], np.float64)
    known = [IMPORTANCE.get((e.set_name, e.language), 0.0) / sizes[e.set_name, e.language] for e in examples]
    return values, labels, np.array(known, np.float64)


if __name__ == "__main__":
    main()
