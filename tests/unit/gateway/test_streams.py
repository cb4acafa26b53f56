"""Who shows what, who waits for what, and that everybody is told."""

from parley.contracts.v1 import Accepted, CommandResult, ReplyChunk, StreamEvent
from parley.telemetry import Tracing
from parley_gateway.realtime.streams import STALE_SECONDS, Streams, Waiting
from tests.unit.gateway.a_desk import KEY, SESSION, TENANT, a_chunk, a_delivery, an_event


class Screen:
    """A viewer that remembers."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.heads: list[int] = []
        self.chunks: list[ReplyChunk] = []

    def stored(self, epoch: int, event: StreamEvent) -> None:
        self.seqs.append(event.seq)

    def head(self, epoch: int, head_seq: int) -> None:
        self.heads.append(head_seq)

    def chunk(self, chunk: ReplyChunk) -> None:
        self.chunks.append(chunk)


def streams() -> Streams:
    return Streams(Tracing("gateway", ratio=0))


def shown(found: Streams, *screens: Screen) -> None:
    for screen in screens:
        found.join(KEY, screen)


def test_every_screen_of_a_session_is_told_in_the_same_order() -> None:
    found, one, two, stranger = streams(), Screen(), Screen(), Screen()
    shown(found, one, two)
    found.join((TENANT, "ses_other"), stranger)
    found.deliver(a_delivery(an_event(1), an_event(2)))
    found.deliver(a_delivery(an_event(3)))
    assert one.seqs == two.seqs == [1, 2, 3]
    assert stranger.seqs == []


def test_the_same_session_id_of_another_tenant_is_another_session() -> None:
    found, screen = streams(), Screen()
    found.join(("other", SESSION), screen)
    found.deliver(a_delivery(an_event(1)))
    assert screen.seqs == []


def test_the_last_screen_that_leaves_is_the_one_to_be_told_of() -> None:
    found, one, two = streams(), Screen(), Screen()
    shown(found, one, two)
    assert not found.leave(KEY, one)
    assert not found.leave(KEY, one)
    assert found.leave(KEY, two)
    assert len(found) == 0


def test_a_delivery_without_events_tells_the_head() -> None:
    found, screen = streams(), Screen()
    shown(found, screen)
    found.deliver(a_delivery(head=7))
    assert (screen.heads, screen.seqs) == ([7], [])


def test_a_late_chunk_after_message_end_is_dropped() -> None:
    found, screen = streams(), Screen()
    shown(found, screen)
    found.chunk(a_chunk(0, "七天"))
    found.deliver(a_delivery(an_event(1, "七天内", end="msg_r")))
    found.chunk(a_chunk(1, "内"))
    assert [chunk.delta for chunk in screen.chunks] == ["七天"]
    assert found.drafts(KEY) == []


def test_who_joins_in_the_middle_finds_one_snapshot() -> None:
    found, screen = streams(), Screen()
    shown(found, screen)
    for n, delta in enumerate(["七天", "内可", "以退"]):
        found.chunk(a_chunk(n, delta))
    (draft,) = found.drafts(KEY)
    assert (draft.delta, draft.snapshot, draft.index) == ("七天内可以退", True, 2)


def test_chunks_of_a_session_that_nobody_shows_are_not_kept() -> None:
    found = streams()
    found.chunk(a_chunk(0, "x"))
    assert found.drafts(KEY) == []
    assert len(found) == 0


def test_a_message_written_twice_at_once_is_answered_twice_and_only_once_as_new() -> None:
    found, heard = streams(), list[Accepted]()
    for _ in range(3):
        found.expect(TENANT, SESSION, "c-1", Waiting(heard.append))
    found.deliver(a_delivery(accepted=[Accepted(external_message_id="c-1", message_id="m", seq=4)]))
    assert [(a.seq, a.duplicate) for a in heard] == [(4, False), (4, True), (4, True)]


def test_an_answer_is_given_once() -> None:
    found, heard = streams(), list[Accepted]()
    found.expect(TENANT, SESSION, "c-1", Waiting(heard.append))
    for _ in range(2):
        found.deliver(a_delivery(accepted=[Accepted(external_message_id="c-1", seq=4)]))
    assert len(heard) == 1


def test_who_forgets_does_not_take_the_others_with_him() -> None:
    found, heard = streams(), list[str]()
    one, two = Waiting(lambda _: heard.append("one")), Waiting(lambda _: heard.append("two"))
    for waiting in (one, two):
        found.expect(TENANT, SESSION, "c-1", waiting)
    found.forget(TENANT, SESSION, "c-1", one)
    found.forget(TENANT, SESSION, "unknown", one)
    found.deliver(a_delivery(accepted=[Accepted(external_message_id="c-1", seq=4)]))
    assert heard == ["two"]


def test_an_answer_that_never_comes_is_not_waited_for_for_ever() -> None:
    found, heard = streams(), list[Accepted]()
    found.expect(TENANT, SESSION, "old", Waiting(heard.append, since=100.0))
    found.expect(TENANT, SESSION, "new", Waiting(heard.append, since=150.0))
    found.forget_stale(101.0 + STALE_SECONDS)
    found.deliver(a_delivery(accepted=[Accepted(external_message_id=i, seq=1) for i in ("old", "new")]))
    assert [a.external_message_id for a in heard] == ["new"]


async def test_a_command_is_answered_to_everybody_who_asked_it() -> None:
    found = streams()
    one, two, other = found.command("req_1"), found.command("req_1"), found.command("req_2")
    two.cancel()
    again = found.command("req_1")
    found.deliver(a_delivery(results=[CommandResult(request_id="req_1", code=200)]))
    assert (await one).code == (await again).code == 200
    assert not other.done()


def test_after_our_queue_was_gone_every_session_must_be_made_known_again() -> None:
    found = streams()
    shown(found, Screen())
    assert found.unattached() == [KEY]
    found.attached(KEY)
    assert not found.needs_attaching(KEY)
    found.detach_all()
    assert found.unattached() == [KEY]


def test_whoever_is_told_something_is_known_to_the_router() -> None:
    found = streams()
    shown(found, Screen())
    found.deliver(a_delivery(an_event(1)))
    assert found.unattached() == []
