"""How sure we are that the best passage answers: a calibrated probability, fitted offline per language.

The features say how much of the question the passage covers, weighted by how rare its terms are, and how clearly it
leads. `answerability.json` holds the fitted weights and how they were fitted (evaluation/fit_answerability.py).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a search knows about its best passage. Shares are from 0 to 1, weighted by the rarity of terms."""

    coverage: float  # of the question that stands in the passage
    quote_coverage: float  # of it that stands in the sentences quoted
    title_coverage: float  # of it that stands in the document's title and the passage's headings
    title_asked: float  # of the document's title that stands in the question
    concept_coverage: float  # of the concepts that the question names, those of the passage; all count alike
    saturation: float  # the passage's score, of the highest that the question could give
    lead: float  # how far the best passage of any other document is behind, as a share of the score
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


@cache
def calibrations() -> Mapping[str, Calibration]:
    """The fitted calibration of each language."""
    data = json.loads(resources.files(__package__).joinpath("answerability.json").read_text("utf-8"))
    return {language: _calibration(fitted) for language, fitted in data["languages"].items()}


def _calibration(fitted: Mapping[str, Mapping[str, Mapping[str, float]] | float]) -> Calibration:
    features = fitted["features"]
    bias = fitted["bias"]
    assert isinstance(features, Mapping)
    assert isinstance(bias, float | int)
    rows = [features[name] for name in FEATURES]
    means, scales, weights = (tuple(row[key] for row in rows) for key in ("mean", "scale", "weight"))
    return Calibration(means, scales, weights, float(bias))


def answerable(evidence: Evidence, language: str) -> float:
    """The probability that the best passage answers the question."""
    known = calibrations()
    return known.get(language, known["en"]).probability(evidence)
