"""How sure we are that the best passage answers: a calibrated probability, fitted offline per language.

The features say how much of the question the passage covers, weighted by how rare its terms are, and how clearly it
leads; a lead that covers little is a coincidence, so the two are multiplied. `answerability.json` holds the fitted
weights and how they were fitted (evaluation/fit_answerability.py).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a search knows about its best passage. Shares are from 0 to 1, weighted by the rarity of terms."""

    title_coverage: float  # of the question that stands in the document's title and the passage's headings
    title_asked: float  # of the document's title that stands in the question
    concept_coverage: float  # of the concepts that the question names, those of the passage; all count alike
    support: float  # of the question that stands in the passage, times its lead over the best of other documents
    length: float  # logarithm of the number of the question's terms


FEATURES = tuple(f.name for f in fields(Evidence))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted logistic regression over standardised features."""

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def probability(self, evidence: Evidence) -> float:
        """From evidence to a probability."""
        values: Sequence[float] = astuple(evidence)
        standard = ((v - m) / s for v, m, s in zip(values, self.means, self.scales, strict=True))
        logit = self.bias + sum(w * x for w, x in zip(self.weights, standard, strict=True))
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def read_calibrations(document: Mapping[str, Any]) -> dict[str, Calibration]:
    """The calibration of each language, from the content of a fitted file."""
    return {language: _calibration(fitted) for language, fitted in document["languages"].items()}


@cache
def _shipped() -> Mapping[str, Calibration]:
    text = resources.files(__package__).joinpath("answerability.json").read_text("utf-8")
    return read_calibrations(json.loads(text))


def _calibration(fitted: Mapping[str, Any]) -> Calibration:
    rows = [fitted["features"][name] for name in FEATURES]
    means, scales, weights = (tuple(float(row[key]) for row in rows) for key in ("mean", "scale", "weight"))
    return Calibration(means, scales, weights, float(fitted["bias"]))


def answerable(evidence: Evidence, language: str) -> float:
    """The probability that the best passage answers the question."""
    known = _shipped()
    return known.get(language, known["en"]).probability(evidence)
