"""compose.yaml stands: a block per service, everything limited and watched, one door."""

import copy

import pytest

from deploy.checks import chart, compose, monitoring, names
from deploy.checks.chart import Object
from parley.core.settings import PlaceSettings
from parley.telemetry import names as telemetry
from parley_gateway.settings import GatewaySettings
from parley_knowledge.settings import KnowledgeSettings
from parley_media.settings import MediaSettings

STACK = chart.read(compose.FILE)
OURS = {name: STACK["services"][name] for name in sorted(names.services())}
UNITS = {"m": 2**20, "g": 2**30}


def plain(environment: dict[str, str]) -> dict[str, str]:
    """With the defaults of compose's own variables."""
    return {name: value if "${" not in value else default(value) for name, value in environment.items()}


def default(value: str) -> str:
    before, _, rest = value.partition("${")
    inside, _, after = rest.partition("}")
    return before + inside.partition(":-")[2] + after


def amount(text: str) -> float:
    return float(text[:-1]) * UNITS[text[-1]]


def test_the_files_are_what_compose_accepts_and_every_name_in_them_leads_somewhere() -> None:
    assert list(compose.problems()) == []


def test_every_registered_service_has_a_block_that_runs_it() -> None:
    assert {name: block["command"] for name, block in OURS.items()} == {name: ["run", name] for name in OURS}


def test_one_image_serves_all() -> None:
    assert len({block["image"] for block in OURS.values()} | {STACK["services"]["topology"]["image"]}) == 1


def test_only_the_gateway_is_published() -> None:
    assert [name for name, block in STACK["services"].items() if "ports" in block] == ["gateway"]


def test_dashboards_are_published_on_this_machine_only() -> None:
    for block in chart.read(compose.DASHBOARDS)["services"].values():
        assert set(block) == {"ports"}
        assert all(port.startswith("127.0.0.1:") for port in block["ports"])


@pytest.mark.parametrize("name", sorted(STACK["services"]))
def test_everything_has_limits_and_comes_back(name: str) -> None:
    block = STACK["services"][name]
    assert set(block["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert block["restart"] == ("on-failure" if name == "topology" else "unless-stopped")
    assert ":latest" not in block["image"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_say_when_they_are_ready_and_can_do_nothing_that_they_need_not(name: str) -> None:
    block = OURS[name]
    health = plain(block["environment"])["PARLEY_HEALTH_PORT"]
    assert f"127.0.0.1:{health}/readyz" in " ".join(block["healthcheck"]["test"])
    assert block["read_only"] is True
    assert block["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in block["security_opt"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_wait_for_the_topology(name: str) -> None:
    assert OURS[name]["depends_on"]["topology"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_can_write_where_they_live(name: str) -> None:
    places = [mount.partition(":")[0] for mount in OURS[name]["tmpfs"]]
    places += [volume.split(":")[1] for volume in OURS[name].get("volumes", [])]
    assert {"/tmp", "/var/lib/parley"} <= set(places)


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_are_granted_more_time_than_they_drain(name: str) -> None:
    drain = PlaceSettings.load(plain(OURS[name]["environment"])).drain_seconds
    assert float(OURS[name]["stop_grace_period"].removesuffix("s")) >= 2 * drain + 5


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_is_accepted_and_leads_to_a_block(name: str) -> None:
    environment = plain(OURS[name]["environment"])
    place = PlaceSettings.load(environment)
    for asked in ("session-router", "knowledge", "media", "ai-engine"):
        host, _, port = place.grpc_target(asked).partition(":")
        assert host == asked
        assert place.grpc_listen(asked) == f"0.0.0.0:{port}"
    for url in (place.bus_url, place.database_url, place.cache_url, place.otlp_url):
        assert url.rpartition("@")[2].rpartition("//")[2].partition(":")[0] in STACK["services"]


def test_the_published_port_is_the_one_that_the_gateway_listens_on() -> None:
    gateway = OURS["gateway"]
    (published,) = gateway["ports"]
    assert published.endswith(f":{GatewaySettings.load(plain(gateway['environment'])).port}")


def test_knowledge_follows_the_folder_that_is_mounted() -> None:
    knowledge = OURS["knowledge"]
    (folder,) = KnowledgeSettings.load(plain(knowledge["environment"])).knowledge_folders
    assert folder.tenant == "demo"
    (mounted,) = knowledge["volumes"]
    assert default(mounted).split(":")[1:] == [str(folder.path), "ro"]


def test_media_may_use_what_its_decoders_need() -> None:
    settings = MediaSettings.load(plain(OURS["media"]["environment"]))
    limit = amount(OURS["media"]["deploy"]["resources"]["limits"]["memory"])
    assert limit >= (settings.decoders * settings.decoder_mb + 128) * 2**20


def broken(**changes: Object) -> Object:
    stack = copy.deepcopy(STACK)
    stack["services"]["hello"] |= changes
    return stack


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"depends_on": {"rabbit": {"condition": "service_started"}}}, "hello: depends on rabbit, which is not there"),
        ({"depends_on": {"jaeger": {"condition": "service_healthy"}}}, "hello: waits for jaeger to be healthy"),
        ({"volumes": ["rabitmq:/data"]}, "hello: the volume rabitmq is not declared"),
        ({"volumes": ["./deploy/nothing:/data"]}, "hello: there is no ./deploy/nothing"),
        ({"environment": {"PARLEY_BUSS_URL": "memory:"}}, "hello: no setting reads PARLEY_BUSS_URL"),
    ],
)
def test_a_name_that_leads_nowhere_is_found(changes: Object, problem: str) -> None:
    (found,) = compose.dangling(broken(**changes))
    assert found.startswith(problem)


def test_what_watches_the_services_names_only_what_exists() -> None:
    assert list(monitoring.problems()) == []


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {name for _, text in monitoring.expressions() for name in names.METRIC.findall(text)}
    shown = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in shown}
    ours = {value[0] for value in vars(telemetry).values() if isinstance(value, tuple)}
    assert {name.removesuffix("_total") for name in ours} <= {name.removesuffix("_total") for name in shown}
