"""Ask aiconfigurator, accelerate and quantplan what the same published vLLM starts leave for their KV cache.

usage: python benchmarks/peers_memory.py --truth DIR --aiconfigurator PYTHON --accelerate PYTHON
       python benchmarks/peers_memory.py                                     (prints the committed answers)

PYTHON is the interpreter of the environment that has the peer. Starts are those of vLLM 0.10 and later on one H100 that
state memory, utilisation, weights and pool, of models in the catalogue. quantplan is asked blind: its constants are
fitted without the model's family. The outcome is kept in peers_memory.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

ANSWERS = Path(__file__).parent / "peers_memory.csv"
WORKER = Path(__file__).parent / "peers_memory_worker.py"
ASKED = ("quantplan", "aiconfigurator", "accelerate")
FIGURES = ("weights_gib", "kv_gib")
FIELDS = ("id", "model", "version", "format", "utilisation", "total_gib",
          *(f"{who}_{figure}" for figure in FIGURES for who in ("measured", *ASKED)),
          *(f"{who}_refused" for who in ASKED[1:]))  # fmt: skip
# Quantized checkpoints, to the model they were made of.
ORIGINALS = {
    "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic": "meta-llama/Llama-3.3-70B-Instruct",
    "RedHatAI/Qwen2.5-7B-Instruct-FP8-dynamic": "Qwen/Qwen2.5-7B-Instruct",
}
DEFAULT_SEQUENCES, DEFAULT_STEP_TOKENS = 1024, 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with memory.csv and model_configs.jsonl")
    parser.add_argument("--aiconfigurator", type=Path, help="the Python of its own environment")
    parser.add_argument("--accelerate", type=Path, help="the Python of its own environment")
    given = parser.parse_args()
    if given.truth:
        ask_everyone(given.truth, {"aiconfigurator": given.aiconfigurator, "accelerate": given.accelerate})
    with ANSWERS.open(newline="") as stream:
        show(list(csv.DictReader(stream)))


def ask_everyone(truth: Path, peers: dict[str, Path]) -> None:
    from memory import read_starts

    from planner.models.compact import shapes_from_jsonl

    shapes, _ = shapes_from_jsonl(truth / "model_configs.jsonl")
    questions = list(asked_of(read_starts(truth, shapes)))
    answers = {who: dict(answered(who, python, questions)) for who, python in peers.items()}
    with ANSWERS.open("w", newline="") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        for question in questions:
            row = dict(question["row"])
            for who, found in answers.items():
                one = found[question["id"]]
                row |= {f"{who}_{key}": rounded(value) for key, value in one.items()}
            table.writerow(row)


def asked_of(starts) -> Iterator[dict[str, object]]:
    """The starts that all can be asked about, each with its published figures and quantplan's answer."""
    from planner.models.catalogue import entries

    names = {name: entry.config for entry in entries() for name in (entry.hub_id, *entry.base_ids, *entry.aliases)}
    for start in starts:
        case = start.case
        config = names.get(case.config_id) or names.get(ORIGINALS.get(case.config_id, ""))
        stated = all(start.measured(column) for column in ("kv_GiB", "weights_GiB_per_gpu", "gpu_total_GiB"))
        is_asked = (
            start.states_version
            and start.is_v1
            and start.is_described
            and case.gpu_class == "H100"
            and case.tensor_parallel == 1
        )
        if config is None or not (stated and is_asked and case.utilisation):
            continue
        row = {
            "id": case.id, "model": case.config_id, "version": case.version, "format": case.quantization or "none",
            "utilisation": case.utilisation, "total_gib": case.physical_gib,
            "measured_weights_gib": start.measured("weights_GiB_per_gpu"), "measured_kv_gib": start.measured("kv_GiB"),
            "quantplan_weights_gib": rounded(start.blind.weights_gib), "quantplan_kv_gib": rounded(start.blind.kv_gib),
        }  # fmt: skip
        yield {
            "id": case.id, "row": row, "config": config, "utilisation": case.utilisation,
            "total_gib": case.physical_gib, "is_fp8": "fp8" in case.quantization,
            "is_mxfp4": "mxfp4" in case.quantization,
            "weight_bits": 8 if "fp8" in case.quantization else 4 if "mxfp4" in case.quantization else 16,
            "sequences": case.max_sequences or DEFAULT_SEQUENCES,
            "step_tokens": case.batched_tokens or DEFAULT_STEP_TOKENS,
        }  # fmt: skip


def rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


def answered(who: str, python: Path, questions: list[dict[str, object]]) -> Iterator[tuple[str, dict[str, object]]]:
    """A peer's answers by id."""
    lines = "".join(json.dumps({k: v for k, v in question.items() if k != "row"}) + "\n" for question in questions)
    done = subprocess.run([str(python), str(WORKER), who], input=lines, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        yield answer.pop("id"), answer


def show(rows: list[dict[str, str]]) -> None:
    print(f"{len(rows)} starts of vLLM on one H100; mean / median absolute error, of those each answered\n")
    for figure in FIGURES:
        for who in ASKED:
            errors = [abs(float(row[f"{who}_{figure}"]) / float(row[f"measured_{figure}"]) - 1) * 100
                      for row in rows if row[f"{who}_{figure}"] and float(row[f"measured_{figure}"]) > 0]  # fmt: skip
            said = f"{mean(errors):6.2f} / {median(errors):5.2f} %" if errors else "no answer"
            print(f"{figure:12} {who:15} {len(errors):3} answers  {said}")
    for who in ASKED[1:]:
        for row in rows:
            if row[f"{who}_refused"]:
                print(f"{who} refused {row['model']}: {row[f'{who}_refused'][:90]}")


if __name__ == "__main__":
    main()
