"""Every span, attribute and metric, with its meaning. Code uses these constants and invents no strings.

Messaging and GenAI names follow the OpenTelemetry semantic conventions; the rest begins with `parley.`.
"""

from typing import Final

# ---- spans: one per action ----------------------------------------------------------------------
RECEIVE_MESSAGE: Final = "receive message"  # gateway: a frame or request arrived, until it is published
ACKNOWLEDGE_MESSAGE: Final = "acknowledge message"  # gateway: the commit is known, the ack is sent
HTTP_REQUEST: Final = "http request"  # gateway: one REST call
WAIT_IN_QUEUE: Final = "wait in queue"  # from publish to the reader's hand
PROCESS_EVENT: Final = "process"  # a handler runs: "process MessageReceived"
DECIDE: Final = "decide"  # session-router: one step of the session machine
COMMIT: Final = "commit"  # session-router: the decision's one write
ANSWER_TURN: Final = "answer turn"  # ai-engine: from taking a turn to its outcome
STAGE: Final = "stage"  # ai-engine: "stage search"
GRPC_CALL: Final = "call"  # client side: "call Knowledge.Search"
GRPC_SERVE: Final = "serve"  # server side: "serve Knowledge.Search"
SEARCH: Final = "search"  # knowledge
CHAT: Final = "chat"  # GenAI: "chat {model}"
DELIVER: Final = "deliver"  # gateway: stored events written to sockets
FIRST_CHUNK: Final = "first chunk"  # gateway: the first preview of a reply written to a socket
LAST_CHUNK: Final = "last chunk"  # gateway: message_end written to a socket

# ---- attributes ---------------------------------------------------------------------------------
SESSION: Final = "parley.session_id"
TENANT: Final = "parley.tenant_id"
TURN: Final = "parley.turn_id"
SHARD: Final = "parley.shard"
CHANNEL: Final = "parley.channel"
DECISION: Final = "parley.decision"  # what was decided, in one word
OUTCOME: Final = "parley.outcome"
ORIGIN: Final = "parley.origin"
CONFIDENCE: Final = "parley.confidence"
COUNT: Final = "parley.count"
LANGUAGE: Final = "parley.language"
CHARS: Final = "parley.chars"  # length of a text; never the text
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_DESTINATION: Final = "messaging.destination.name"
MESSAGING_OPERATION: Final = "messaging.operation.type"
MESSAGING_BATCH: Final = "messaging.batch.message_count"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.response.status_code"
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_FINISH: Final = "gen_ai.response.finish_reasons"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
ATTEMPT: Final = "parley.attempt"  # which try of one route this is, from 1
DEGRADE_LEVEL: Final = "parley.degrade_level"  # the rung of the ladder that answered: L0 the chosen model … L5 nobody
GUARD: Final = "parley.guard"  # what a guard found, in words without the text: hidden PHONE, provenance
ROUTE: Final = "parley.route"  # who answered: a model's name, extractive, handoff
DEGRADED: Final = "parley.degraded"  # why no higher rung answered
PROMPT: Final = "parley.prompt"  # name, version and checksum
TOKENS: Final = "parley.tokens"  # of all calls of a turn together
COST: Final = "parley.cost"  # of all calls of a turn together, with its currency
ERROR_TYPE: Final = "error.type"

# ---- metrics: (name, help, labels) -----------------------------------------------------------------
CONNECTIONS: Final = ("parley_gateway_connections", "Open visitor connections", ("transport",))
FRAMES_IN: Final = ("parley_gateway_frames_in_total", "Client frames by kind", ("kind",))
FRAMES_OUT: Final = ("parley_gateway_frames_out_total", "Server frames by kind", ("kind",))
REFUSED: Final = ("parley_gateway_refused_total", "Requests and frames refused, by code", ("code",))
ACK_SECONDS: Final = ("parley_gateway_ack_seconds", "From a message's arrival to its ack", ())
EVENTS_PUBLISHED: Final = (
    "parley_bus_events_published_total",
    "Events confirmed by the broker",
    ("service", "exchange"),
)
EVENTS_HANDLED: Final = (
    "parley_bus_events_handled_total",
    "Events settled, by outcome",
    ("service", "queue", "outcome"),
)
EVENTS_PARKED: Final = ("parley_bus_events_parked_total", "Events parked as dead letters", ("service", "queue"))
QUEUE_WAIT_SECONDS: Final = ("parley_bus_queue_wait_seconds", "From publish to the reader's hand", ("service", "queue"))
HANDLER_SECONDS: Final = ("parley_bus_handler_seconds", "Time in a handler", ("service", "queue"))
BATCH_EVENTS: Final = ("parley_bus_batch_events", "Events in one message of the bus", ("service",))
BUS_RECONNECTS: Final = ("parley_bus_reconnects_total", "Connections to the broker that were made again", ("service",))
COMMITS: Final = ("parley_router_commits_total", "Grouped commits", ())
COMMIT_SECONDS: Final = ("parley_router_commit_seconds", "Time of a grouped commit", ())
COMMIT_SESSIONS: Final = ("parley_router_commit_sessions", "Sessions in one grouped commit", ())
STALE_WRITES: Final = ("parley_router_stale_writes_total", "Writes refused by epoch or version", ())
SHARDS_OWNED: Final = ("parley_router_shards_owned", "Shards that this replica owns", ())
DUPLICATES: Final = ("parley_router_duplicates_total", "Repeated inputs refused", ("kind",))
TURNS: Final = ("parley_turns_total", "Finished turns, by outcome and origin", ("outcome", "origin"))
TURN_SECONDS: Final = ("parley_turn_seconds", "From a turn's request to its outcome", ("outcome",))
TURNS_CANCELLED_SECONDS: Final = (
    "parley_turns_cancelled_seconds_total",
    "Time that engines had for turns that were cancelled, by reason",
    ("reason",),
)
WAITING_SESSIONS: Final = ("parley_sessions_waiting", "Sessions that wait for a person", ())
STAGE_SECONDS: Final = ("parley_engine_stage_seconds", "Time of one stage of the engine", ("stage",))
TURNS_RUNNING: Final = ("parley_engine_turns_running", "Turns that this engine works on", ())
GEN_AI_TOKENS: Final = ("gen_ai_client_token_usage", "Tokens used, by model and kind", ("model", "kind"))
MODEL_FAILURES: Final = ("parley_engine_model_failures_total", "Failed model calls, by kind", ("model", "kind"))
MODEL_RETRIES: Final = ("parley_engine_model_retries_total", "Model calls that were tried again", ("model",))
BREAKER_OPEN: Final = ("parley_engine_breaker_open", "1 while a model is left alone, else 0", ("model",))
MODEL_COST: Final = (
    "parley_engine_model_cost_total",
    "Money spent on models, by model and currency",
    ("model", "currency"),
)
CALLS_SPARED: Final = ("parley_engine_calls_spared_total", "Model calls that were not needed, by why", ("by",))
ADMISSION_WAITING: Final = ("parley_engine_admission_waiting", "Calls that wait for a place at a model", ())
ADMISSION_SECONDS: Final = ("parley_engine_admission_seconds", "Time until a call was admitted", ())
REPLIES: Final = ("parley_engine_replies_total", "Replies by origin and rung of the ladder", ("origin", "level"))
GEN_AI_SECONDS: Final = ("gen_ai_client_operation_duration_seconds", "Time of a model call", ("model",))
SEARCH_SECONDS: Final = ("parley_knowledge_search_seconds", "Time of one search", ())
PASSAGES: Final = ("parley_knowledge_passages", "Passages in the index", ())
UPLOADS: Final = ("parley_media_uploads_total", "Uploads, by result", ("result",))
