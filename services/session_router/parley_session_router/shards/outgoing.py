"""What leaves after a commit: deliveries to gateways and channels, work, facts, in the order decided.

Every event gets its id from the input that caused it, so that publishing it again after a crash repeats it exactly.
"""

from collections.abc import Callable, Iterator, Sequence

from parley.bus import Event, Packed, Route
from parley.bus.routes import stored_route, to_channel, to_gateway
from parley.contracts.v1 import Deliver, EventMeta, TurnRequested
from parley_session_router.machine import WEB, Decision, SessionState
from parley_session_router.store import OutboxEntry

Send = tuple[Route, Event]
Parcel = tuple[Route, Event | Packed]


def sends_of(decision: Decision, *, cause: str, version: int) -> list[Send]:
    """Everything that one step sends. `version` is the one it is committed as, which tells a repeat from a redo."""
    found = [*_deliveries(decision), *decision.sends]
    for number, (_, event) in enumerate(found):
        meta = event.meta
        meta.event_id = f"{cause}.{version}.{number}"
        meta.causation_id = cause
        meta.traceparent = decision.traceparent
    return found


def without_superseded(sends: list[Send], state: SessionState) -> list[Send]:
    """Without turns that ended in the same commit that asked for them: no engine need ever hear of those."""
    running = state.turn.turn_id if state.turn else ""
    return [send for send in sends if not isinstance(send[1], TurnRequested) or send[1].turn_id == running]


def _deliveries(decision: Decision) -> Iterator[Send]:
    """One Deliver for each gateway that shows the session or waits for an answer, and one for the channel's adapter."""
    state = decision.state
    shown = state.gateways if decision.entries else ()
    answered = [answer.gateway_id for answer in decision.answers]
    for gateway in dict.fromkeys((*shown, *answered, *decision.heads)):
        event = _deliver(state)
        for answer in decision.answers:
            if answer.gateway_id == gateway and answer.accepted is not None:
                event.accepted.append(answer.accepted)
            if answer.gateway_id == gateway and answer.result is not None:
                event.results.append(answer.result)
        if gateway in shown:
            event.events.extend([entry.event for entry in decision.entries])
        yield to_gateway(gateway), event
    outgoing = [entry.event for entry in decision.entries if entry.outgoing]
    if outgoing and state.channel not in ("", WEB):
        event = _deliver(state)
        event.events.extend(outgoing)
        event.channel, event.recipient = state.channel, state.external_id
        route = to_channel(state.channel)
        yield Route(route.exchange, route.key, mandatory=False), event


def _deliver(state: SessionState) -> Deliver:
    meta = EventMeta(tenant_id=state.tenant, session_id=state.session)
    return Deliver(meta=meta, epoch=state.epoch, head_seq=state.head_seq)


def to_entries(
    sends: Sequence[Send], first_id: int, pack: Callable[[Event], Packed]
) -> tuple[list[Parcel], tuple[OutboxEntry, ...]]:
    """As they leave, and as they are stored until then. Work for one replica, which may be gone, is not."""
    leaving: list[Parcel] = []
    entries = []
    for number, (route, event) in enumerate(sends):
        if not route.durable:
            leaving.append((route, event))
            continue
        packed = pack(event)
        leaving.append((route, packed))
        entries.append(OutboxEntry(first_id + number, _packed(route), route.key, packed.type, packed.payload))
    return leaving, tuple(entries)


def from_entry(entry: OutboxEntry) -> Parcel:
    """A stored event and where it goes."""
    name, _, flags = entry.exchange.partition("?")
    return stored_route(name, entry.key, mandatory=flags != "optional"), Packed(entry.type, entry.payload)


def _packed(route: Route) -> str:
    return route.exchange.name if route.mandatory else f"{route.exchange.name}?optional"
