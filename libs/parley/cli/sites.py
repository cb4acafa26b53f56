"""`parley sites`: site keys, which a page's widget carries, and the origins of pages that may use them."""

import click

from parley.cli.asking import CALL_SECONDS, ask
from parley.contracts.v1 import AccessStub, CreateSiteRequest, ListSitesRequest, RemoveSiteRequest, SiteOrigins

_SERVICE = "session-router"


@click.group()
def sites() -> None:
    """Make, list, change and remove site keys."""


@sites.command()
@click.option("--tenant", default="demo", show_default=True)
@click.option("--origin", "origins", multiple=True, help="Like https://shop.example; repeatable. None = any page.")
@click.option("--key", "site_key", default="", help="One of your own; made up when left out.")
def create(tenant: str, origins: tuple[str, ...], site_key: str) -> None:
    """Make a site key and print it. It is public: the origins say which pages may use it."""
    site = _put(tenant, site_key, origins)
    click.echo(site.site_key)
    click.echo(f"for {tenant}, pages of {_shown(site)}. It goes into the page's widget.", err=True)


@sites.command("origins")
@click.argument("site_key")
@click.argument("origins", nargs=-1)
@click.option("--tenant", default="demo", show_default=True)
def set_origins(site_key: str, origins: tuple[str, ...], tenant: str) -> None:
    """Replace the origins of a site; none = any page."""
    _need(tenant, site_key)
    click.echo(f"{site_key} lets in pages of {_shown(_put(tenant, site_key, origins))}")


@sites.command("list")
@click.option("--tenant", default="demo", show_default=True)
def list_sites(tenant: str) -> None:
    """Every site of a tenant with its origins."""
    found = _all(tenant)
    for site in found:
        click.echo(f"{site.site_key:28} {_shown(site)}")
    if not found:
        click.echo(f"{tenant} has no sites; make one with `parley sites create`", err=True)


@sites.command()
@click.argument("site_key")
@click.option("--tenant", default="demo", show_default=True)
def remove(site_key: str, tenant: str) -> None:
    """Give its visitors no more tokens; those that they have run out by themselves."""
    request = RemoveSiteRequest(tenant_id=tenant, site_key=site_key)
    ask(_SERVICE, lambda channel: AccessStub(channel).RemoveSite(request, timeout=CALL_SECONDS))
    click.echo(f"{site_key} is removed")


def _put(tenant: str, site_key: str, origins: tuple[str, ...]) -> SiteOrigins:
    request = CreateSiteRequest(tenant_id=tenant, site_key=site_key, origins=origins)
    return ask(_SERVICE, lambda channel: AccessStub(channel).CreateSite(request, timeout=CALL_SECONDS)).site


def _all(tenant: str) -> list[SiteOrigins]:
    request = ListSitesRequest(tenant_id=tenant)
    return list(ask(_SERVICE, lambda channel: AccessStub(channel).ListSites(request, timeout=CALL_SECONDS)).sites)


def _need(tenant: str, site_key: str) -> None:
    """A mistyped key must not become a new site."""
    if site_key not in [site.site_key for site in _all(tenant)]:
        raise click.ClickException(f"{tenant} has no site {site_key}; see `parley sites list`")


def _shown(site: SiteOrigins) -> str:
    return ", ".join(site.origins) or "any origin"
