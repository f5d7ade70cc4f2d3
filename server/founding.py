"""Make a deployment: authority, certificate, keys, settings, and the invitation that clients are given."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import tomli_w

from penchant.cache import cache_folder
from penchant.catalogue import Catalogue
from penchant.encoders import ItemVectors, item_vectors
from penchant.errors import BadInput
from penchant.privacy.keys import SigningKey
from penchant.rundir import write_atomically
from penchant.server.authority import Authority
from penchant.server.deployment import Deployment, new_token, write_secret
from penchant.server.settings import DeploymentSettings
from penchant.strategies.counting import CountingTerms
from penchant.strategies.invitation import Invitation, Terms
from penchant.strategies.resolution import counting_terms, resolved

_LEAST_PASSPHRASE: Final = 8
_BESIDE: Final = 4096
"""Bytes of a message beside its numbers, at most."""


def found(
    root: Path,
    settings: DeploymentSettings,
    catalogue: Catalogue,
    *,
    passphrase: str,
    encoding: Callable[[int], None] = lambda items: None,
) -> Deployment:
    """Leave a complete deployment in `root`, or nothing.

    passphrase: encrypts the authority's key and the ledger's.  encoding: told of items encoded.
    Raises: BadInput where a deployment is there already, or a setting cannot be met.
    """
    _check_empty(root)
    terms_of(settings, n_items=len(catalogue))  # what cannot be met is said before the catalogue is encoded
    items = item_vectors(catalogue, settings.encoder, cache=cache_folder() / "vectors", progress=encoding)
    return establish(root, settings, catalogue, items, passphrase=passphrase)


def establish(
    root: Path, settings: DeploymentSettings, catalogue: Catalogue, items: ItemVectors, *, passphrase: str
) -> Deployment:
    """As `found`, for item vectors that are there already."""
    _check_empty(root)
    if len(passphrase) < _LEAST_PASSPHRASE:
        raise BadInput(
            f"a passphrase of {_LEAST_PASSPHRASE} or more characters is needed: it encrypts the keys"
        )
    deployment = Deployment(root)
    try:
        _write(deployment, settings, catalogue, items, passphrase)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    return deployment


def renew(deployment: Deployment, *, passphrase: str) -> None:
    """A new server certificate from the deployment's own authority: clients notice nothing."""
    tls = deployment.tls
    authority = Authority.read(
        (tls / "ca.pem").read_bytes(), (tls / "ca.key").read_bytes(), passphrase=passphrase
    )
    _certify(deployment, authority, deployment.settings())


def terms_of(settings: DeploymentSettings, *, n_items: int) -> Terms:
    """What clients agree on, the noise calibrated. Raises: BadInput or BudgetExceeded where epsilon cannot be met."""
    server, privacy, company = settings.server, settings.privacy, settings.company
    guarantee = resolved(privacy, settings.federation, people=server.population, company=company)
    counting = counting_terms(privacy, settings.federation, company, n_items=n_items)
    if counting is not None:
        _check_lengths(counting, settings)
    return Terms(
        name=server.name,
        address=f"{server.public_names[0]}:{server.port}",
        seed=settings.seed,
        rounds=settings.federation.rounds,
        population=server.population,
        model=settings.model,
        training=settings.training,
        unit=guarantee.unit,
        noise_at=guarantee.noise_at,
        clip_bound=guarantee.clip_bound,
        noise_multiplier=guarantee.noise_multiplier,
        following=guarantee.following,
        counting=counting,
        epsilon_limit=privacy.epsilon,
        delta=privacy.delta,
    )


def _check_lengths(counting: CountingTerms, settings: DeploymentSettings) -> None:
    longest = _BESIDE + 4 * max(counting.layout(what).size for what in counting.guarantees)
    if longest > settings.server.max_message_bytes:
        raise BadInput(
            f"company.items {settings.company.items} of {counting.n_items}: a client's count takes {longest} bytes, "
            "more than server.max_message_bytes; raise that, or lower company.items"
        )


def _check_empty(root: Path) -> None:
    if root.exists() and any(root.iterdir()):
        raise BadInput(f"{root}: not empty; choose another folder for the deployment")


def _write(
    deployment: Deployment,
    settings: DeploymentSettings,
    catalogue: Catalogue,
    items: ItemVectors,
    passphrase: str,
) -> None:
    terms = terms_of(settings, n_items=len(catalogue))
    authority = Authority.new(settings.server.name)
    deployment.root.mkdir(parents=True, exist_ok=True)
    deployment.root.chmod(0o700)
    write_atomically(deployment.settings_path, _toml(settings.model_dump(mode="json")))
    write_secret(deployment.tls / "ca.key", authority.key_pem(passphrase=passphrase))
    write_atomically(deployment.tls / "ca.pem", authority.certificate_pem)
    _certify(deployment, authority, settings)
    deployment.ledger_key.parent.mkdir()
    SigningKey.new().write(deployment.ledger_key, passphrase=passphrase)
    write_secret(deployment.operator_token, new_token())
    write_secret(deployment.runtime_secret, secrets.token_bytes(32))
    items.basis.save(deployment.run.basis_path)
    Invitation(terms, authority.certificate_pem, catalogue, items.vectors).save(deployment.invitation_path)


def _certify(deployment: Deployment, authority: Authority, settings: DeploymentSettings) -> None:
    server = settings.server
    local = [name for name in ("localhost", "127.0.0.1") if name not in server.public_names]
    certificate, key = authority.issue([*server.public_names, *local], days=server.certificate_days)
    write_secret(deployment.tls / "server.key", key)
    write_atomically(deployment.tls / "server.pem", certificate)


def _toml(record: dict[str, Any]) -> bytes:
    """TOML knows no null: a setting that is not given stays out."""
    return tomli_w.dumps(_without_null(record)).encode()


def _without_null(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_null(value) if isinstance(value, dict) else value
        for key, value in record.items()
        if value is not None
    }
