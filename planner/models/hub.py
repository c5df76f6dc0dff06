"""A model on the Hugging Face Hub: config.json and the safetensors headers are fetched, no weights.

The hub is asked once whether the repository is there (5 s, no retries), so that an offline machine answers at once;
then a copy in the local hub cache is used where there is one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from planner.errors import BadInput, nearest
from planner.models.catalogue import catalogue_names
from planner.models.config import Config
from planner.models.directory import assumptions, model_from_directory, stored_format
from planner.models.families import shape_from_config
from planner.models.json_files import read_json_object
from planner.models.model import Checkpoint, Model, StoredTensor
from planner.models.quantization import recognise

TIMEOUT_S = 5.0
INSTEAD = "name a local directory, a model of the catalogue, or a bare size such as 70B"
INSTALL = f"pip install 'quantplan[hub]', or {INSTEAD}"
OFFLINE = f"connect to the hub, or {INSTEAD}"
GATED = f"accept the licence on the model's page and log in with `hf auth login`, or {INSTEAD}"


def model_from_hub(repo_id: str) -> Model:
    """The model at `repo_id`, from the hub or, offline, from the local hub cache.

    Raises BadInput when huggingface_hub is not installed, the hub cannot be reached and has no cached copy, the
    repository is missing, gated or without config.json, or its config is not understood.
    """
    try:
        import huggingface_hub as hub
    except ImportError:
        raise BadInput(f"{repo_id} is on the hub, and huggingface_hub is not installed", fix=INSTALL) from None
    try:
        files = {file.rfilename for file in hub.HfApi().model_info(repo_id, timeout=TIMEOUT_S).siblings or ()}
    except Exception as error:
        return _cached(hub, repo_id) or _refuse(hub, repo_id, error)
    if "config.json" not in files:
        raise BadInput(f"{repo_id} on the Hugging Face Hub has no config.json", nearest=_near(repo_id), fix=INSTEAD)
    return _fetched(hub, repo_id, files)


def _fetched(hub: Any, repo_id: str, files: set[str]) -> Model:
    config, sidecar, tokenizer = (
        _read(hub, repo_id, name) if name in files else Config({}, f"{repo_id}/{name}")
        for name in ("config.json", "hf_quant_config.json", "tokenizer_config.json")
    )
    shape = shape_from_config(config.values, config.where)
    quantization = recognise(config, sidecar)
    tensors = _tensors(hub, repo_id) if any(name.endswith(".safetensors") for name in files) else ()
    stored = stored_format(config, quantization, tensors)
    group_size = quantization.group_size if quantization else None
    stored_bytes = sum(tensor.bytes for tensor in tensors)
    checkpoint = Checkpoint(repo_id, stored, stored_bytes, tensors, group_size) if tensors else None
    return Model(
        name=repo_id,
        weights_at=repo_id,
        shape=shape,
        origin="hub",
        source=f"{repo_id} on the Hugging Face Hub: config.json and safetensors headers",
        checkpoint=checkpoint,
        is_chat="chat_template.jinja" in files or tokenizer.has("chat_template"),
        stored_format=stored,
        needs_remote_code=config.has("auto_map"),
        assumptions=tuple(assumptions(shape, quantization, checkpoint)),
    )


def _read(hub: Any, repo_id: str, name: str) -> Config:
    try:
        path = Path(hub.hf_hub_download(repo_id, name))
    except Exception as error:
        _refuse(hub, repo_id, error)
    return Config(read_json_object(path), f"{repo_id}/{name}")


def _tensors(hub: Any, repo_id: str) -> tuple[StoredTensor, ...]:
    """The tensors of every shard, by ranged requests for the headers; none where the hub cannot read them."""
    try:
        files = hub.HfApi().get_safetensors_metadata(repo_id).files_metadata.values()
    except Exception:
        return ()
    return tuple(
        StoredTensor(name, str(info.dtype), tuple(info.shape), info.data_offsets[1] - info.data_offsets[0])
        for file in files
        for name, info in file.tensors.items()
    )


def _cached(hub: Any, repo_id: str) -> Model | None:
    """The copy in the local hub cache, which is a directory like any other."""
    path = hub.try_to_load_from_cache(repo_id, "config.json")
    return replace(model_from_directory(Path(path).parent), name=repo_id) if isinstance(path, str) else None


def _refuse(hub: Any, repo_id: str, error: Exception) -> NoReturn:
    """The hub's many exceptions as three: gated, not there, not reached."""
    if isinstance(error, hub.errors.GatedRepoError):
        what, fix = f"{repo_id} is gated on the Hugging Face Hub", GATED
    elif isinstance(error, hub.errors.RepositoryNotFoundError):
        what, fix = f"{repo_id} is neither in the catalogue nor on the Hugging Face Hub", INSTEAD
    else:
        what, fix = f"{repo_id} is not in the catalogue, and the Hugging Face Hub cannot be reached", OFFLINE
    raise BadInput(what, nearest=_near(repo_id), fix=fix) from None


def _near(repo_id: str) -> list[str]:
    return nearest(repo_id.rpartition("/")[2], catalogue_names())
