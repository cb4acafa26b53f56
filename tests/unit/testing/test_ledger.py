"""The ledger sees each kind of broken promise; each of these would be a bug in the product."""

from parley.testing.ledger import Ledger, Seen, Sent

SESSION = "ses_王小明"


def a_message(seq: int, n: int, *, at: float = 0.0) -> Seen:
    return Seen(seq, "message", f"msg_{n}", f"c{n}", "", at)


def an_answer(seq: int, n: int, *, at: float = 0.0, finish: str = "stop", message: str = "") -> Seen:
    return Seen(seq, "message_end", message or f"reply_{seq}", "", f"turn_{n}", at, finish)


def a_ledger(*, seen: list[Seen], acked: int = 2, sent: int = 2) -> Ledger:
    """Messages 1..sent at 1 s each, acknowledged 0.1 s later."""
    ledger = Ledger()
    for n in range(1, sent + 1):
        ledger.wrote(Sent(SESSION, n, f"c{n}", float(n)))
        if n <= acked:
            ledger.acked(f"c{n}", 2 * n - 1, n + 0.1)
    for event in seen:
        ledger.saw(SESSION, event)
    return ledger


GOOD = [a_message(1, 1), an_answer(2, 1), a_message(3, 2), an_answer(4, 2)]


def broken(history: list[Seen], seen: list[Seen] | None = None, *, acked: int = 2) -> dict[str, int]:
    ledger = a_ledger(seen=GOOD if seen is None else seen, acked=acked)
    return ledger.verdict({SESSION: history}).broken()


def test_a_good_conversation_breaks_nothing() -> None:
    verdict = a_ledger(seen=GOOD).verdict({SESSION: GOOD})
    assert verdict.broken() == {}
    assert (verdict.sent, verdict.acked, verdict.answered) == (2, 2, 2)


def test_an_acknowledged_message_that_is_not_stored_is_lost() -> None:
    assert broken([GOOD[0], GOOD[1], an_answer(3, 2)], GOOD)["lost"] == 1


def test_a_stored_answer_that_the_visitor_never_saw_is_lost() -> None:
    assert broken(GOOD, GOOD[:3]) == {"lost": 1}


def test_a_message_stored_twice_is_doubled() -> None:
    assert broken([*GOOD, a_message(5, 2), an_answer(6, 3)])["doubled"] == 2  # its own id, and the sender's


def test_a_turn_with_two_outcomes_is_doubled() -> None:
    found = broken([*GOOD, an_answer(5, 2, message="other")], [*GOOD, an_answer(5, 2, message="other")])
    assert found["doubled"] == 2  # in the store, and at the visitor
    assert found["answered_twice"] == 1


def test_a_cancelled_preview_is_no_second_outcome() -> None:
    history = [GOOD[0], an_answer(2, 1, finish="cancelled"), a_message(3, 2), an_answer(4, 2)]
    assert broken(history, history) == {}


def test_an_event_told_twice_is_doubled() -> None:
    assert broken(GOOD, [*GOOD, GOOD[3]]) == {"doubled": 1}


def test_messages_in_another_order_than_they_were_written_are_reordered() -> None:
    history = [a_message(1, 2), an_answer(2, 2), a_message(3, 1), an_answer(4, 1)]
    assert broken(history)["reordered"] == 1


def test_a_stream_that_goes_back_is_reordered() -> None:
    assert broken(GOOD, [GOOD[1], GOOD[0], GOOD[2], GOOD[3]]) == {"reordered": 1}


def test_a_number_left_out_is_a_gap() -> None:
    assert broken([GOOD[0], GOOD[1], a_message(4, 2), an_answer(5, 2)])["gaps"] == 1


def test_a_message_after_which_nothing_was_said_is_unanswered() -> None:
    assert broken(GOOD[:3], GOOD[:3]) == {"unanswered": 1}


def test_a_conversation_that_waits_for_a_person_is_not_unanswered() -> None:
    handed = [*GOOD[:3], Seen(4, "session", "", "", "", 0.0, "waiting")]
    assert broken(handed, handed) == {}
    back = [*handed, Seen(5, "session", "", "", "", 0.0, "open")]
    assert broken(back, back) == {"unanswered": 1}


def test_what_was_never_acknowledged_may_arrive_but_must_not_stay_unsettled() -> None:
    assert broken(GOOD, acked=1) == {}  # stored all the same: recovered
    assert broken(GOOD[:2], GOOD[:2], acked=1) == {"unsettled": 1}


def test_what_nobody_sent_is_unexpected() -> None:
    stranger = Seen(5, "message", "msg_9", "c9", "", 0.0)
    assert broken([*GOOD, stranger, an_answer(6, 9)])["unexpected"] == 1


def test_recovery_is_from_the_end_of_a_fault_to_the_first_answer_and_to_the_last_backlog() -> None:
    ledger = Ledger()
    for n, (sent_at, acked_at) in enumerate([(1.0, 1.1), (4.0, 9.0), (6.0, 6.5)], 1):
        ledger.wrote(Sent(SESSION, n, f"c{n}", sent_at))
        ledger.acked(f"c{n}", 2 * n - 1, acked_at)
    ledger.saw(SESSION, an_answer(6, 3, at=7.0))
    ledger.over("broker is back", 5.0)
    verdict = ledger.verdict({})
    assert verdict.recoveries[0].first == 2.0  # acknowledged at 6.5, answered at 7
    assert verdict.recoveries[0].backlog == 4.0  # sent at 4, acknowledged at 9
    assert verdict.longest_gap_s == 5.4


def test_a_fault_from_which_nobody_recovers_has_no_end() -> None:
    ledger = a_ledger(seen=GOOD)
    ledger.over("broker is back", 5.0)
    assert ledger.verdict({}).recovery_s == float("inf")
