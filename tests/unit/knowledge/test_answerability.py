import json
from importlib import resources

from parley_knowledge.search import FEATURES, Evidence, answerable


def test_fitted_weights_name_every_feature_and_say_how_they_were_made() -> None:
    text = resources.files("parley_knowledge.search").joinpath("answerability.json").read_text("utf-8")
    data = json.loads(text)
    assert data["fitted_by"] == "python -m evaluation.fit_answerability"
    for fitted in data["languages"].values():
        assert set(fitted["features"]) == set(FEATURES)
    assert set(data["languages"]) == {"zh", "en"}


def test_more_of_the_question_covered_is_never_less_sure() -> None:
    poor = Evidence(0.0, 0.0, 0.0, 0.01, 1.6)
    rich = Evidence(0.8, 1.0, 1.0, 0.6, 1.6)
    for language in ("zh", "en"):
        assert answerable(poor, language) < 0.2 < 0.8 < answerable(rich, language)
