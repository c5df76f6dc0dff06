"""A local Hugging Face model directory: shape from config.json, exact bytes from safetensors headers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from planner.errors import BadInput
from planner.models.config import Config
from planner.models.counting import count_mismatch
from planner.models.families import shape_from_config
from planner.models.json_files import read_json_object
from planner.models.model import Checkpoint, Model, StoredTensor
from planner.models.quantization import Quantization, recognise
from planner.models.safetensors import read_tensors, weight_files
from planner.models.shape import Shape

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
CONVERT = (
    "convert them: load the model with transformers in an environment you trust and call "
    "save_pretrained(directory, safe_serialization=True)"
)


def model_from_directory(directory: Path) -> Model:
    """The model in `directory`, which holds config.json and safetensors files (or a config.json alone, or one GGUF).

    Raises BadInput without a config.json, for a broken file, and for weights that exist only as pickles.
    """
    if not (directory / "config.json").is_file():
        return _model_without_config(directory)
    path = directory / "config.json"
    config = Config(read_json_object(path), str(path))
    shape = shape_from_config(config.values, str(path))
    quantization = recognise(config, _sidecar(directory))
    checkpoint = _checkpoint(directory, quantization)
    return Model(
        name=directory.resolve().name,
        weights_at=str(directory.absolute()),
        shape=shape,
        origin="directory",
        source=str(path),
        checkpoint=checkpoint,
        is_chat=_has_chat_template(directory),
        stored_format=stored_format(config, quantization, checkpoint.tensors if checkpoint else ()),
        needs_remote_code=config.has("auto_map"),
        assumptions=tuple(assumptions(shape, quantization, checkpoint)),
    )


def _model_without_config(directory: Path) -> Model:
    gguf = sorted(directory.glob("*.gguf"))
    if len(gguf) == 1:
        from planner.models.gguf import model_from_gguf

        return model_from_gguf(gguf[0])
    what = f"{len(gguf)} .gguf files and no config.json here" if gguf else "no config.json here"
    fix = "name one of the .gguf files" if gguf else "point at the directory of a Hugging Face model, or a .gguf file"
    raise BadInput(what, where=str(directory), fix=fix)


def _sidecar(directory: Path) -> Config | None:
    path = directory / "hf_quant_config.json"
    return Config(read_json_object(path), str(path)) if path.is_file() else None


def _checkpoint(directory: Path, quantization: Quantization | None) -> Checkpoint | None:
    files = weight_files(directory)
    if not files:
        _refuse_pickles(directory)
        return None
    tensors = read_tensors(files)
    return Checkpoint(
        path=str(directory.resolve()),
        stored_format=stored_format(None, quantization, tensors),
        total_bytes=sum(path.stat().st_size for path in files),
        tensors=tensors,
        group_size=quantization.group_size if quantization else None,
    )


def _refuse_pickles(directory: Path) -> None:
    pickles = sorted(path.name for pattern in PICKLES for path in directory.glob(pattern))
    if pickles:
        what = f"its weights are pickles ({pickles[0]}), which can run code when loaded"
        raise BadInput(what, where=str(directory), fix=CONVERT)


def stored_format(config: Config | None, quantization: Quantization | None, tensors: tuple[StoredTensor, ...]) -> str:
    """The scheme id: the recognised quantization, else fp16 where most bytes (or the config) say so, else bf16."""
    if quantization:
        return quantization.stored_format
    bytes_by_dtype: Counter[str] = Counter()
    for tensor in tensors:
        bytes_by_dtype[tensor.dtype] += tensor.bytes
    if bytes_by_dtype:
        return "fp16" if bytes_by_dtype.most_common(1)[0][0] == "F16" else "bf16"
    dtype = config.text("dtype", config.text("torch_dtype", "bfloat16")) if config else "bfloat16"
    return "fp16" if dtype == "float16" else "bf16"


def assumptions(shape: Shape, quantization: Quantization | None, checkpoint: Checkpoint | None) -> list[str]:
    """What a reader must know of how the facts were read."""
    said = [quantization.note] if quantization and quantization.stored_format == "unknown" else []
    if checkpoint is None:
        return [*said, "no weights at hand: their bytes follow from the shape"]
    if any(tensor.dtype == "F32" and len(tensor.shape) > 1 for tensor in checkpoint.tensors) and not quantization:
        said.append("stored in 32 bits: planned as 16 bits, as engines load it")
    if not quantization:
        said += count_mismatch(shape, checkpoint.tensors)
    return said


def _has_chat_template(directory: Path) -> bool:
    if (directory / "chat_template.jinja").is_file() or (directory / "chat_template.json").is_file():
        return True
    path = directory / "tokenizer_config.json"
    return path.is_file() and "chat_template" in read_json_object(path)
