"""Long questions are taken sentence by sentence; several searches go on where the last one ended."""

from parley_knowledge.documents import Draft
from parley_knowledge.search import search, search_on
from parley_knowledge.search.lookup import fused, looked_up
from tests.unit.knowledge.handbook import a_snapshot

SMALL_TALK = Draft("talk.md", "Our town", "The weather in our town is fine and my sister loves the market here.")
HOURS = Draft("hours.md", "Opening hours", "The branch opens at nine.")
REFUND = Draft("refund.md", "Refunds", "A refund takes five days.")
KEYS = Draft("keys.md", "Lost keys", "Lost keys are kept at the desk.")
STORY = (
    "My sister and I came to town for the weekend, the weather was fine and we walked to the market here. "
    "We had a lovely time with her children and the dog, who loves the market and the fine weather in our town too. "
    "Then I lost my keys. I would also like a refund. Please say when the branch opens. Thank you and have a fine day."
)


def test_a_short_question_is_one_thing() -> None:
    assert len(looked_up("When do you open? And where?")) == 1


def test_a_story_is_looked_up_sentence_by_sentence() -> None:
    assert len(looked_up(STORY)) == 6
    assert len(looked_up("我的壶坏了。" * 200)) == 64


def test_each_point_of_a_story_is_found_before_its_small_talk_is_repeated() -> None:
    found = [h.passage.record.uri for h in search(a_snapshot(SMALL_TALK, HOURS, REFUND, KEYS), STORY, limit=4).hits]
    assert set(found) == {"talk.md", "hours.md", "refund.md", "keys.md"}


def test_further_searches_leave_out_what_was_found() -> None:
    base = a_snapshot(SMALL_TALK, HOURS, REFUND, KEYS)
    one = search(base, STORY, limit=2)
    three = search_on(base, STORY, searches=3, limit=2)
    assert three.hits[:2] == one.hits
    documents = [hit.passage.record.uri for hit in three.hits]
    assert len(documents) == len(set(documents)) == 4
    assert search_on(base, "zebra", searches=4, limit=2).hits == ()


def test_rankings_are_fused_by_ranks_alone() -> None:
    assert [position for position, _ in fused([[1, 2, 3], [3, 9]], 3)] == [3, 1, 2]
    assert fused([[], []], 5) == []
