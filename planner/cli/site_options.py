"""The options of a cluster's own names, the same for `quantplan apply` and `quantplan render`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from planner.errors import BadInput

if TYPE_CHECKING:
    from planner.launching.site import Site

STORE = re.compile(r"[a-z0-9]+://[^/]+(/.*)?")
Command = Callable[..., Any]
OPTIONS = (
    click.option("--namespace", help="Kubernetes: where everything goes.  [default: default]"),
    click.option("--secret", help="Kubernetes: the Secret whose key `token` holds a Hub token."),
    click.option("--image", help="Kubernetes: the image of quantplan itself, for what runs it there."),
    click.option("--storage-class", help="Kubernetes: of the claim that holds the models; it must be ReadWriteMany."),
    click.option("--node-selector", multiple=True, metavar="KEY=VALUE", help="Kubernetes: only nodes with this label."),
    click.option("--artefacts", metavar="URL", help="Object store for the model that is made: s3://BUCKET/PREFIX."),
    click.option(
        "--artefacts-secret", help="Kubernetes: the Secret with that store's variables (AWS_ACCESS_KEY_ID ...)."
    ),
)
ONLY_THERE = ("namespace", "secret", "image", "storage_class", "node_selector", "artefacts_secret", "context")


def site_options(command: Command) -> Command:
    """The options, passed on under their names; `site_asked` reads them."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def site_asked(options: Mapping[str, Any]) -> Site:
    """What the options name. BadInput for a node selector that is not KEY=VALUE, and for no address of a store."""
    from planner.launching.site import Site

    given = {name: value for name, value in options.items() if value}
    if (address := options["artefacts"]) and not STORE.fullmatch(address):
        raise BadInput(f"--artefacts {address!r} is no address of an object store", fix="write s3://BUCKET/PREFIX")
    return Site(**{**given, "node_selector": tuple(_label(text) for text in options["node_selector"])})


def require_a_cluster(options: Mapping[str, Any]) -> None:
    """BadInput when a name of a cluster's things is given where no cluster is asked."""
    given = ["--" + name.replace("_", "-") for name in ONLY_THERE if options[name]]
    if given:
        raise BadInput(f"{', '.join(given)}: only where Kubernetes does the work", fix="add --on kubernetes")


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BadInput(
            f"--node-selector {text!r} is no label", fix="write KEY=VALUE, as kubectl get nodes --show-labels"
        )
    return key, value
