"""What only the owner of a cluster knows: where everything goes there, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Site:
    """Names of a cluster's own things, and choices that no plan makes.

    `secret`: the Secret whose key `token` holds a Hub token. `image`: quantplan's own. `storage_class`: of the claim;
    the cluster's default without it. `node_selector`: labels that a node must have beside those of the planned card.
    `artefacts`: the object store's address, s3://BUCKET/PREFIX, where a model that is made is put and fetched;
    `artefacts_secret`: the Secret whose keys are that store's variables (AWS_ACCESS_KEY_ID and the like).
    """

    namespace: str = "default"
    secret: str | None = None
    image: str | None = None
    storage_class: str | None = None
    node_selector: tuple[tuple[str, str], ...] = ()
    artefacts: str | None = None
    artefacts_secret: str | None = None


NOWHERE = Site()
