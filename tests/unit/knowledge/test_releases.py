import pytest

from parley_knowledge.documents import Labels, Scope
from parley_knowledge.releases import Change, History, Release, Wanted, differences


def a_history(*releases: list[Wanted]) -> History:
    history = History()
    for number, wanted in enumerate(releases, 1):
        history.apply(Release("店", number, float(number), history.changes_for(wanted)))
    return history


def test_what_stands_already_is_no_change() -> None:
    history = a_history([Wanted("a", "甲", "set_1", "folder:h")])
    assert history.changes_for([Wanted("a", "甲", "set_1"), Wanted("b", "乙", "")]) == ()
    taken_over = history.changes_for([Wanted("a", "甲", "set_1", "site:x")])
    assert taken_over == (Change("a", "甲", "set_1", 1, "site:x"),)


def test_versions_of_a_document_count_its_contents_also_over_its_removal() -> None:
    history = a_history(*([Wanted("a", "甲", name)] for name in ("set_1", "set_2", "", "set_3")))
    assert history.live["a"].version == 3
    assert history.changes_for([Wanted("a", "甲", "set_2")])[0].version == 2


def test_any_version_can_be_seen_and_gone_back_to() -> None:
    history = a_history(
        [Wanted("a", "甲", "set_1"), Wanted("b", "乙", "set_1")],
        [Wanted("a", "甲", "set_2"), Wanted("b", "乙", "")],
        [Wanted("c", "丙", "set_1")],
    )
    assert history.at(0) == {}
    assert {key: change.version for key, change in history.at(1).items()} == {"a": 1, "b": 1}
    assert set(history.at(2)) == {"a"}
    history.apply(Release("店", 4, 4.0, history.changes_back_to(1)))
    assert {key: change.chunk_set for key, change in history.live.items()} == {"a": "set_1", "b": "set_1"}
    assert history.live["a"].version == 1
    assert history.changes_back_to(1) == ()


def test_differences_come_in_the_order_of_uris() -> None:
    history = a_history([Wanted("a", "2", "set_1"), Wanted("b", "1", "set_1")], [Wanted("a", "2", "")])
    assert [one.uri for one in differences(history.at(0), history.at(1))] == ["1", "2"]
    (gone,) = differences(history.at(1), history.at(2))
    assert (gone.uri, gone.after) == ("2", None)


def test_a_gap_between_releases_is_refused_and_one_that_comes_twice_is_not() -> None:
    history = a_history([Wanted("a", "甲", "set_1")])
    history.apply(history.releases[0])
    assert history.number == 1
    with pytest.raises(ValueError, match="missing between"):
        history.apply(Release("店", 3, 1.0, ()))


@pytest.mark.parametrize(
    ("labels", "scope", "seen"),
    [
        (Labels(), Scope(), True),
        (Labels(("agents",)), Scope(), False),
        (Labels(("agents", "vip")), Scope("vip"), True),
        (Labels((), ("wechat",)), Scope("vip"), False),
        (Labels((), ("wechat",)), Scope(channel="wechat"), True),
        (Labels(("vip",), ("wechat",)), Scope(channel="wechat"), False),
        (Labels(valid_from=10), Scope(now=9.9), False),
        (Labels(valid_from=10), Scope(now=10.0), True),
        (Labels(valid_until=10), Scope(now=10.0), False),
        (Labels(valid_until=10), Scope(now=None), True),
    ],
)
def test_a_document_for_some_is_seen_by_no_other(labels: Labels, scope: Scope, seen: bool) -> None:
    assert scope.sees(labels) is seen
