"""A private RabbitMQ node, or several as a cluster; nothing of a system-wide one is read or touched."""

import asyncio
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from parley.testing.servers.ports import answers, free_port
from parley.testing.servers.process import ServerMissing, ServerProcess
from parley.testing.servers.settings import GivenServers

# Debian's script on the PATH changes user and drops the environment; this one does neither.
DEBIAN_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
AMQP_HEADER, METHOD_FRAME = b"AMQP\x00\x00\x09\x01", b"\x01"
COMMAND_SECONDS = 180  # rabbitmqctl takes a second, on a busy machine many


@dataclass(frozen=True)
class Ports:
    """What one node listens on."""

    amqp: int
    management: int
    distribution: int
    epmd: int


class RabbitMQ:
    """A broker: its address, its virtual hosts and, when it is a private node, all that a fault test does to it."""

    def __init__(self, url: str, management_url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._user = parts.username or "guest"
        self._password = parts.password or "guest"
        self._management_url = management_url

    async def add_vhost(self, name: str) -> str:
        """Make a virtual host; its URL."""
        await self.api("PUT", f"/vhosts/{quote(name, safe='')}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await self.api("PUT", f"/permissions/{quote(name, safe='')}/{quote(self._user, safe='')}", everything)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{quote(name, safe='')}"))

    async def delete_vhost(self, name: str) -> None:
        """Delete a virtual host and all its queues; open connections to it are closed by the broker."""
        await self.api("DELETE", f"/vhosts/{quote(name, safe='')}")

    async def api(self, method: str, path: str, body: object = None) -> httpx.Response:
        """One call of the management API, `path` below `/api`. Raises httpx.HTTPStatusError when it is refused."""
        # A client per call: the tests of one run have an event loop each, a kept connection belongs to one of them.
        credentials = (self._user, self._password)
        async with httpx.AsyncClient(auth=credentials, timeout=30, trust_env=False) as client:
            response = await client.request(method, f"{self._management_url}/api{path}", json=body)
        response.raise_for_status()
        return response


class RabbitNode(RabbitMQ):
    """A node of our own."""

    def __init__(
        self,
        data: Path,
        ports: Ports,
        nodename: str = "parley@localhost",
        *,
        home: Path | None = None,
        peers: Sequence[str] = (),
    ) -> None:
        """`home` holds the cookie that the nodes of a cluster share, `peers` are the names of all of them."""
        super().__init__(f"amqp://guest:guest@127.0.0.1:{ports.amqp}/", f"http://127.0.0.1:{ports.management}")
        self.ports = ports
        self.nodename = nodename
        self.data = data
        self._scripts = _scripts()
        self._env = _write_configuration(data, ports, nodename, home or data / "home", peers)
        command = [str(self._scripts / "rabbitmq-server")]
        self.process = ServerProcess(command, log=data / "out", ready=self._ready, env=self._env)

    async def restart(self) -> None:
        """End it in good order and start it again: same ports, same data."""
        await self.process.stop()
        await self.process.start()

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl ARGUMENTS` prints. Takes about a second."""
        command = [str(self._scripts / "rabbitmqctl"), "-n", self.nodename, *arguments]
        return self._run(command)

    def log(self) -> str:
        """All that the node has logged."""
        return "".join(path.read_text(errors="replace") for path in (self.data / "node" / "log").glob("*.log"))

    def end_epmd(self) -> None:
        """End the port mapper that the node started."""
        self._run(["epmd", "-kill"], check=False)

    async def _ready(self) -> bool:
        return await answers(self.ports.amqp, say=AMQP_HEADER, hear=METHOD_FRAME)

    def _run(self, command: list[str], *, check: bool = True) -> str:
        done = subprocess.run(
            command, env=self._env, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=check
        )
        return done.stdout


class RabbitCluster:
    """Nodes of our own that share their queues. Each can be killed and started again by itself."""

    def __init__(self, nodes: Sequence[RabbitNode]) -> None:
        self.nodes = list(nodes)

    def leader(self, queue: str) -> RabbitNode:
        """The node that leads a quorum queue now. Raises KeyError for one that has no leader, or is none."""
        listed = self._living.ctl("list_queues", "--silent", "name", "leader").split("\n")
        leaders = dict(line.split("\t") for line in listed if line.count("\t") == 1)
        return {node.nodename: node for node in self.nodes}[leaders[queue]]

    def await_online(self, number: int) -> None:
        """Wait until so many nodes are of one mind."""
        self._living.ctl("await_online_nodes", str(number))

    @property
    def _living(self) -> RabbitNode:
        return next(node for node in self.nodes if node.process.exit_code is None)


@asynccontextmanager
async def rabbitmq(given: GivenServers | None = None) -> AsyncIterator[RabbitMQ]:
    """The given broker, else a private node. Raises ServerMissing when there is neither."""
    given = given if given is not None else GivenServers.load()
    if given.bus_url:
        host = urlsplit(given.bus_url).hostname
        yield RabbitMQ(given.bus_url, given.bus_management_url or f"http://{host}:15672")
        return
    async with rabbit_node() as node:
        yield node


@asynccontextmanager
async def rabbit_node(data: Path | None = None) -> AsyncIterator[RabbitNode]:
    """A private node, with its data in `data` or in a temporary folder. Ready in about 6 s, 140 MB."""
    with tempfile.TemporaryDirectory(prefix="parley-rabbitmq-", ignore_cleanup_errors=True) as temporary:
        node = RabbitNode(data or Path(temporary), Ports(free_port(), free_port(), free_port(), free_port()))
        try:
            await node.process.start()
            yield node
        finally:
            await node.process.stop()
            node.end_epmd()


@asynccontextmanager
async def rabbit_cluster(size: int = 3) -> AsyncIterator[RabbitCluster]:
    """Private nodes that have found each other, ready in about 20 s, 140 MB each."""
    with tempfile.TemporaryDirectory(prefix="parley-rabbitmq-", ignore_cleanup_errors=True) as temporary:
        names, epmd = [f"parley{number}@localhost" for number in range(1, size + 1)], free_port()
        nodes = [
            RabbitNode(
                Path(temporary) / name,
                Ports(free_port(), free_port(), free_port(), epmd),
                name,
                home=Path(temporary) / "home",
                peers=names,
            )
            for name in names
        ]
        cluster = RabbitCluster(nodes)
        try:
            await asyncio.gather(*(node.process.start() for node in nodes))
            await asyncio.to_thread(cluster.await_online, size)
            yield cluster
        finally:
            await asyncio.gather(*(node.process.stop() for node in nodes))
            nodes[0].end_epmd()


def _scripts() -> Path:
    """The folder of `rabbitmq-server` and `rabbitmqctl`."""
    found = shutil.which("rabbitmq-server")
    if (DEBIAN_SCRIPTS / "rabbitmq-server").exists():
        return DEBIAN_SCRIPTS
    if found is None:
        raise ServerMissing("no RabbitMQ: run `apt-get install rabbitmq-server`, or give one by PARLEY_TEST_BUS_URL")
    return Path(found).resolve().parent


def _write_configuration(data: Path, ports: Ports, nodename: str, home: Path, peers: Sequence[str]) -> dict[str, str]:
    """Write the node's files; the whole environment it runs in."""
    node = data / "node"
    home.mkdir(parents=True, exist_ok=True)
    node.mkdir(parents=True, exist_ok=True)
    (node / "enabled_plugins").write_text("[rabbitmq_management].\n")
    (node / "rabbitmq.conf").write_text(
        f"listeners.tcp.default = 127.0.0.1:{ports.amqp}\n"
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {ports.management}\n"
        # The API makes virtual hosts here; counting every message would cost the tests a third of a core.
        "management_agent.disable_metrics_collector = true\n"
        "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 1GB\n" + _formation(peers)
    )
    erl = shutil.which("erl")
    cookie = home / ".erlang.cookie"
    if not cookie.exists():  # several nodes that begin together would each write their own
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)
    return {
        "HOME": str(home),
        "PATH": f"{Path(erl).parent}:{SYSTEM_PATH}" if erl else SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # it may be ended while it still knows a node that was killed
        "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the server, instead of a shell that holds it
        "ERL_CRASH_DUMP": "/dev/null",
        "RABBITMQ_NODENAME": nodename,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports.amqp),
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_MNESIA_BASE": str(node / "mnesia"),
        "RABBITMQ_LOG_BASE": str(node / "log"),
        "RABBITMQ_PID_FILE": str(node / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(node / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(node / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(node / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }


def _formation(peers: Sequence[str]) -> str:
    """How the nodes of a cluster find each other."""
    if not peers:
        return ""
    named = "".join(f"cluster_formation.classic_config.nodes.{n} = {peer}\n" for n, peer in enumerate(peers, 1))
    return (
        "cluster_formation.peer_discovery_backend = classic_config\n"
        "cluster_formation.randomized_startup_delay_range.min = 0\n"
        f"cluster_formation.randomized_startup_delay_range.max = 1\n{named}"
    )
