"""`parley keys`: API keys for channel adapters, agents and operators."""

import click

from parley.cli.asking import CALL_SECONDS, ask
from parley.contracts.v1 import AccessStub, CreateKeyRequest, ListKeysRequest, RevokeKeyRequest

_SERVICE = "session-router"


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option("--tenant", default="demo", show_default=True)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["ingest", "agent", "operate"]),
    help="Repeatable.",
)
@click.option("--days", default=0, help="Days until it expires; 0 = never.")
def create(name: str, tenant: str, scopes: tuple[str, ...], days: int) -> None:
    """Make a key and show it, this once: only its hash is stored."""
    request = CreateKeyRequest(tenant_id=tenant, name=name, scopes=scopes, ttl_s=days * 86_400)
    made = ask(_SERVICE, lambda channel: AccessStub(channel).CreateKey(request, timeout=CALL_SECONDS))
    click.echo(made.secret)
    click.echo(f"{made.key.key_id} for {tenant}, scopes {', '.join(made.key.scopes)}. It is not shown again.", err=True)


@keys.command("list")
@click.option("--tenant", default="demo", show_default=True)
def list_keys(tenant: str) -> None:
    """Every key of a tenant, without its secret."""
    request = ListKeysRequest(tenant_id=tenant)
    found = ask(_SERVICE, lambda channel: AccessStub(channel).ListKeys(request, timeout=CALL_SECONDS))
    for key in found.keys:
        state = "revoked" if key.HasField("revoked_at") else "active"
        click.echo(f"{key.key_id:28} {state:8} {key.name:24} {', '.join(key.scopes)}")


@keys.command()
@click.argument("key_id")
@click.option("--tenant", default="demo", show_default=True)
def revoke(key_id: str, tenant: str) -> None:
    """Refuse a key from now on; by the id of a signing key (sig_…), all visitor tokens that it has signed."""
    request = RevokeKeyRequest(tenant_id=tenant, key_id=key_id)
    answer = ask(_SERVICE, lambda channel: AccessStub(channel).RevokeKey(request, timeout=CALL_SECONDS))
    click.echo(f"{key_id} is revoked" if answer.revoked else f"{key_id} was revoked before")
