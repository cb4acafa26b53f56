"""The chart stands: three installations render, are what Kubernetes accepts, and hold together."""

from collections.abc import Iterator
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from deploy.checks import chart, names
from deploy.checks.chart import CUSTOM, KUBERNETES, SETS, Object, render, values_of
from parley.core.settings import PlaceSettings
from parley_ai_engine.settings import EngineSettings, ModelSettings
from parley_gateway.settings import GatewaySettings
from parley_knowledge.settings import KnowledgeSettings
from parley_media.settings import MediaSettings
from parley_session_router.settings import RouterSettings

EVERYTHING: Object = {"services": {"hello": {"enabled": True}}, "networkPolicy": {"enabled": True}}
UNITS = {"m": 0.001, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
SETTINGS = (
    PlaceSettings,
    GatewaySettings,
    RouterSettings,
    EngineSettings,
    ModelSettings,
    KnowledgeSettings,
    MediaSettings,
)


@pytest.fixture(scope="module", params=sorted(SETS))
def rendered(request: pytest.FixtureRequest) -> list[Object]:
    return render(values_of(request.param))


def of(objects: list[Object], *kinds: str) -> list[Object]:
    return [found for found in objects if found["kind"] in kinds]


def pods(objects: list[Object]) -> Iterator[Object]:
    return (found["spec"]["template"]["spec"] for found in of(objects, "Deployment", "Job"))


def amount(text: str) -> float:
    unit = next((unit for unit in UNITS if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * UNITS.get(unit, 1)


def selected(selector: Object, objects: list[Object]) -> list[Object]:
    labelled = [(found, found["spec"]["template"]["metadata"]["labels"]) for found in of(objects, "Deployment", "Job")]
    return [found for found, labels in labelled if selector.items() <= labels.items()]


def environment(found: Object, objects: list[Object]) -> dict[str, str]:
    """What the container of a Deployment or Job is told, with something plausible for each Secret."""
    told: dict[str, str] = {}
    (container,) = found["spec"]["template"]["spec"]["containers"]
    for source in container.get("envFrom", []):
        (config,) = [c for c in of(objects, "ConfigMap") if c["metadata"]["name"] == source["configMapRef"]["name"]]
        told |= config["data"]
    secret = {
        "PARLEY_BUS_URL": "amqp://a:b@broker/",
        "PARLEY_DATABASE_URL": "mongodb://a:b@db/parley",
        "PARLEY_LLM_KEY": "k",
    }
    return told | {one["name"]: one.get("value", secret.get(one["name"], "")) for one in container["env"]}


def test_every_object_is_what_kubernetes_accepts(rendered: list[Object]) -> None:
    for found in rendered:
        if found["kind"] not in CUSTOM:
            kubernetes_validate.validate(found, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("name", sorted(SETS))
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    assert helm_python.lint(chart.CHART, values_of(name), strict=True)["errors"] == []


def test_names_are_unique(rendered: list[Object]) -> None:
    found = [(one["kind"], one["metadata"]["name"]) for one in rendered]
    assert len(set(found)) == len(found)


def test_every_service_that_is_registered_has_a_deployment_that_runs_it() -> None:
    deployments = of(render(EVERYTHING), "Deployment")
    (ran,) = [{one["spec"]["template"]["spec"]["containers"][0]["args"][1] for one in deployments}]
    assert ran == names.services()
    for one in deployments:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["run", container["name"]]
        assert one["metadata"]["name"] == f"parley-{container['name']}"


def test_what_selects_finds_exactly_one_deployment(rendered: list[Object]) -> None:
    for found in of(rendered, "Service", "Deployment", "PodDisruptionBudget", "NetworkPolicy"):
        spec = found["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        chosen = selected(selector.get("matchLabels", selector), rendered)
        assert [one["metadata"]["name"] for one in chosen] == [found["metadata"]["name"]], found["kind"]


def test_services_lead_to_ports_that_their_pods_have(rendered: list[Object]) -> None:
    for service in of(rendered, "Service"):
        (deployment,) = selected(service["spec"]["selector"], rendered)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_scalers_and_the_ingress_lead_somewhere(rendered: list[Object]) -> None:
    present = {(one["kind"], one["metadata"]["name"]) for one in rendered}
    for scaler in of(rendered, "HorizontalPodAutoscaler", "ScaledObject"):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in present
    for ingress in of(rendered, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            assert ("Service", rule["http"]["paths"][0]["backend"]["service"]["name"]) in present


def test_what_is_scaled_has_no_fixed_number_of_replicas(rendered: list[Object]) -> None:
    scalers = of(rendered, "HorizontalPodAutoscaler", "ScaledObject")
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in scalers]
    assert len(set(scaled)) == len(scaled)
    for deployment in of(rendered, "Deployment"):
        assert ("replicas" in deployment["spec"]) != (deployment["metadata"]["name"] in scaled)


def test_autoscalers_look_at_seventy_percent_of_the_cpu() -> None:
    objects = render({"services": {"media": {"replicas": 1}}})
    scalers = of(objects, "HorizontalPodAutoscaler")
    assert {one["metadata"]["name"] for one in scalers} >= {"parley-gateway", "parley-ai-engine", "parley-knowledge"}
    for scaler in scalers:
        (metric,) = scaler["spec"]["metrics"]
        assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}


def test_engines_scale_on_waiting_turns_only_when_asked() -> None:
    assert not of(render({}), "ScaledObject")
    objects = render({"keda": {"enabled": True, "prometheus": {"serverAddress": "http://prometheus:9090"}}})
    (scaler,) = of(objects, "ScaledObject")
    triggers = {one["type"]: one["metadata"] for one in scaler["spec"]["triggers"]}
    assert set(triggers) == {"cpu", "prometheus", "rabbitmq"}
    assert set(names.METRIC.findall(triggers["prometheus"]["query"])) <= names.metrics()
    (deployment,) = [one for one in of(objects, "Deployment") if one["metadata"]["name"] == "parley-ai-engine"]
    assert triggers["rabbitmq"]["hostFromEnv"] in environment(deployment, objects)


def test_no_container_asks_for_more_than_its_limit(rendered: list[Object]) -> None:
    for pod in pods(rendered):
        for container in pod["containers"]:
            asked, limit = container["resources"]["requests"], container["resources"]["limits"]
            for kind in ("cpu", "memory"):
                assert 0 < amount(asked[kind]) <= amount(limit[kind])


def test_media_may_use_what_its_decoders_need(rendered: list[Object]) -> None:
    (media,) = [one for one in of(rendered, "Deployment") if one["metadata"]["name"] == "parley-media"]
    settings = MediaSettings.load(environment(media, rendered))
    (container,) = media["spec"]["template"]["spec"]["containers"]
    needed = (settings.decoders * settings.decoder_mb + 128) * 2**20
    assert amount(container["resources"]["limits"]["memory"]) >= needed


def test_pods_are_granted_more_time_than_they_drain(rendered: list[Object]) -> None:
    for deployment in of(rendered, "Deployment"):
        drain = PlaceSettings.load(environment(deployment, rendered)).drain_seconds
        pod = deployment["spec"]["template"]["spec"]
        (_, before) = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert pod["terminationGracePeriodSeconds"] >= 2 * drain + int(before) + 5  # consumers, then tasks


def test_pods_can_do_nothing_that_they_need_not(rendered: list[Object]) -> None:
    for pod in pods(rendered):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert mounts >= {"/tmp", "/var/lib/parley"}
            assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}


def test_the_cluster_does_not_set_variables_that_our_settings_would_read(rendered: list[Object]) -> None:
    # A Service called parley-gateway would become PARLEY_GATEWAY_PORT=tcp://10.0.0.1:80.
    assert all(pod["enableServiceLinks"] is False for pod in pods(rendered))


def test_every_pod_says_how_it_is(rendered: list[Object]) -> None:
    for deployment in of(rendered, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        health = environment(deployment, rendered)["PARLEY_HEALTH_PORT"]
        assert {"name": "health", "containerPort": int(health)} in container["ports"]
        asked = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert asked == {
            "startupProbe": {"path": "/livez", "port": "health"},
            "livenessProbe": {"path": "/livez", "port": "health"},
            "readinessProbe": {"path": "/readyz", "port": "health"},
        }


def test_every_variable_is_one_that_a_setting_reads_and_accepts(rendered: list[Object]) -> None:
    for found in of(rendered, "Deployment", "Job"):
        told = environment(found, rendered)
        assert set(told) <= names.settings()
        for settings in SETTINGS:
            settings.load(told)


def test_services_are_told_where_the_others_are(rendered: list[Object]) -> None:
    doors = {
        f"{one['metadata']['name']}:{port['port']}"
        for one in of(rendered, "Service")
        for port in one["spec"]["ports"]
        if port["name"] == "grpc"
    }
    for deployment in of(rendered, "Deployment"):
        place = PlaceSettings.load(environment(deployment, rendered))
        for asked in ("session-router", "knowledge", "media", "ai-engine"):
            assert place.grpc_target(asked) in doors
            assert place.grpc_listen(asked).startswith("0.0.0.0:")


def test_services_and_the_topology_agree_on_the_number_of_shards(rendered: list[Object]) -> None:
    told = {environment(found, rendered)["PARLEY_SHARDS"] for found in of(rendered, "Deployment", "Job")}
    assert len(told) == 1


def test_what_runs_before_the_release_needs_nothing_of_it(rendered: list[Object]) -> None:
    (job,) = of(rendered, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["topology", "apply"]
    assert "serviceAccountName" not in pod
    assert "configMapRef" not in str(pod)


def test_passwords_come_from_secrets_alone(rendered: list[Object]) -> None:
    assert not of(rendered, "Secret")
    text = yaml.safe_dump(rendered)
    assert "amqp://" not in text
    assert "mongodb://" not in text
    for found in of(rendered, "Deployment", "Job"):
        for one in found["spec"]["template"]["spec"]["containers"][0]["env"]:
            if one["name"] in ("PARLEY_BUS_URL", "PARLEY_DATABASE_URL", "PARLEY_LLM_KEY"):
                assert set(one["valueFrom"]["secretKeyRef"]) == {"name", "key"}


def test_only_services_that_use_the_database_know_its_password(rendered: list[Object]) -> None:
    knowing = {
        one["metadata"]["name"]
        for one in of(rendered, "Deployment")
        if "PARLEY_DATABASE_URL" in environment(one, rendered)
    }
    assert knowing == {"parley-session-router", "parley-ai-engine", "parley-knowledge"}


def test_the_demo_is_off_unless_asked_for(rendered: list[Object]) -> None:
    for deployment in of(rendered, "Deployment"):
        assert not PlaceSettings.load(environment(deployment, rendered)).demo


def test_pictures_outlive_an_uninstall() -> None:
    (claim,) = of(render({}), "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not of(render({"blobs": {"existingClaim": "mine"}}), "PersistentVolumeClaim")


def test_a_volume_of_one_node_is_not_given_to_two_replicas() -> None:
    with pytest.raises(helm_python.HelmError, match=r"set blobs[.]accessMode to ReadWriteMany"):
        render({"services": {"media": {"replicas": 2}}})
    render({"services": {"media": {"replicas": 2}}, "blobs": {"accessMode": "ReadWriteMany"}})


def test_a_service_of_ones_own_is_one_entry() -> None:
    mine: Object = {
        "grpc": True,
        "replicas": 2,
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "192Mi"}},
        "autoscaling": {"enabled": False, "minReplicas": 1, "maxReplicas": 2},
    }
    objects = render({"services": {"translator": mine}})
    made = {one["kind"] for one in objects if one["metadata"]["name"] == "parley-translator"}
    assert made == {"Deployment", "Service", "PodDisruptionBudget"}


def test_two_installations_share_a_namespace() -> None:
    first, second = render(EVERYTHING, name="north"), render(EVERYTHING, name="south")
    assert not {(one["kind"], one["metadata"]["name"]) for one in first} & {
        (one["kind"], one["metadata"]["name"]) for one in second
    }
    for service in of(first, "Service"):
        assert not selected(service["spec"]["selector"], second)


def at(path: str, value: Any) -> Object:
    for key in reversed(path.split("/")):
        value = {key: value}
    found: Object = value
    return found


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("config/shards", 0),
        ("config/shards", "sixteen"),
        ("config/drainSeconds", -1),
        ("config/logLevel", "LOUD"),
        ("config/traceRatio", 2),
        ("config/otlpUrl", "collector:4318"),
        ("config/cacheUrl", "memcached://host"),
        ("config/shrads", 16),
        ("secrets/bus/existingSecret", ""),
        ("secrets/bus/value", "amqp://user:pass@host/"),
        ("services/gateway/replicas", "2"),
        ("services/gateway/resources/limits/memory", "512"),
        ("services/gateway/resources/limits/gpu", "1"),
        ("services/gateway/autoscaling/maxReplicas", 0),
        ("services/gateway/env", {"DATABASE": "x"}),
        ("services/gateway/env", {"PARLEY_GATEWAY_PORT": 8080}),
        ("services/Gateway", {}),
        ("services/translator", {"grpc": True}),
        ("ports/http", 80),
        ("image/digest", "latest"),
        ("blobs/accessMode", "ReadWriteSometimes"),
        ("keda/queue/name", "sessions.00"),
        ("ingress", {"enabled": True, "hosts": []}),
        ("podDisruptionBudget/maxUnavailable", 0),
        ("service/type", "Public"),
        ("replicas", 3),
    ],
)
def test_a_wrong_value_is_refused(path: str, wrong: object) -> None:
    with pytest.raises(helm_python.HelmValuesError):
        render(at(path, wrong))


def test_a_refusal_names_the_value() -> None:
    with pytest.raises(helm_python.HelmValuesError, match=r"/config/shards.*must be <= 256|/config/shards.*maximum"):
        render(at("config/shards", 1000))


def test_the_schema_knows_every_value_that_there_is() -> None:
    values, schema = chart.read(chart.CHART / "values.yaml"), (chart.CHART / "values.schema.json").read_text()
    top = yaml.safe_load(schema)
    assert set(values) == set(top["properties"]) - {"global"}
    assert top["additionalProperties"] is False
