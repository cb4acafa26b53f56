"""What `parley session show` tells of a session."""

from google.protobuf.timestamp_pb2 import Timestamp

from parley.cli.sessions import facts, line
from parley.contracts.v1 import Sender, Session, SessionStatus

NOW = 1_800_000_000.0


def at(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(NOW + seconds))


def test_a_running_turn_is_shown_with_its_engine_and_deadline() -> None:
    found = Session(
        session_id="ses_1", channel="web", head_seq=7, ownership=3, shard=5, shard_epoch=12, running_turn="turn_1"
    )
    found.engine_id = "ai-engine-7f3a"
    found.turn_deadline.CopyFrom(at(40))
    told = "\n".join(facts(found, NOW))
    assert "head seq 7, ownership 3" in told
    assert "shard 5, written by its owner number 12" in told
    assert "running turn turn_1 (ai-engine-7f3a)" in told
    assert "(in 40 s)  a person is asked for" in told
    assert "closed" not in told


def test_a_turn_that_waits_for_a_typing_visitor_is_shown_with_its_start() -> None:
    found = Session(session_id="ses_1", unanswered=2)
    found.starts_at.CopyFrom(at(2))
    found.idle_at.CopyFrom(at(600))
    told = "\n".join(facts(found, NOW))
    assert "2 message(s) without an answer" in told
    assert "(in 2 s)  the turn starts, since the visitor types" in told
    assert "(in 600 s)  closed" in told


def test_a_person_who_answers_is_named_in_the_first_line() -> None:
    found = Session(session_id="ses_1", status=SessionStatus.SESSION_STATUS_ASSIGNED, agent=Sender(name="李娜"))
    assert "assigned 李娜" in line(found)
