"""Files of a copy that is more than one server: scripts for nodes and pools, services, manifests, and the router."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.launching.rendering import Kind, render
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Nodes, Pools, Request, Workload

OVER = Nodes(accelerators_per_node=8, link="infiniband", gbit_s=400, latency_us=5)
LAYOUTS: dict[str, dict[str, Any]] = {
    "stages": {"model": "deepseek-v3", "tensor_parallel": 8, "pipeline_parallel": 2},
    "dealt": {"model": "deepseek-v3", "data_parallel": 16},
    "pools": {"model": "llama-3.1-70b", "tensor_parallel": 4, "pools": Pools(prefill=1, decode=3)},
    "one-node pools": {
        "model": "llama-3.1-70b",
        "tensor_parallel": 4,
        "pools": Pools(prefill=1, decode=1),
        "hardware": "8xH100-80GB-SXM",
    },
    "sglang pools": {
        "model": "llama-3.1-8b",
        "tensor_parallel": 1,
        "pools": Pools(prefill=2, decode=2),
        "hardware": "4xH100-80GB-SXM",
        "engine": "sglang",
    },
}


@cache
def plan_for(layout: str) -> Plan:
    asked = {"hardware": "16xH100-80GB-SXM", "nodes": OVER, "workload": Workload(concurrency=64), **LAYOUTS[layout]}
    return make_plan(Request.model_validate(asked))


def started_by(script: str, **told: str) -> list[str]:
    """The command a script would start, as the shell itself says it, and its environment after `=`."""
    said = script.replace("\nexec ", "\nprintf '%s\\0' ")
    environment = {"PATH": "/usr/bin:/bin", **told}
    ran = subprocess.run(["sh", "-c", said], capture_output=True, check=True, env=environment, timeout=10)
    return ran.stdout.decode().split("\0")[:-1]


def test_each_node_of_a_copy_in_stages_has_its_rank_and_only_the_first_answers() -> None:
    script = render(plan_for("stages"), "shell", model="/models/x")["start.sh"]
    first = started_by(script, NODE_RANK="0", HEAD_ADDRESS="10.0.0.1")
    assert first[-3:] == ["--nnodes=2", "--node-rank=0", "--master-addr=10.0.0.1"]
    second = started_by(script, NODE_RANK="1", HEAD_ADDRESS="10.0.0.1")
    assert second[-3:] == ["--node-rank=1", "--master-addr=10.0.0.1", "--headless"]
    at = second.index("--tensor-parallel-size")
    assert second[at : at + 4] == ["--tensor-parallel-size", "8", "--pipeline-parallel-size", "2"]


def test_each_node_of_experts_dealt_out_has_its_attention_copies() -> None:
    script = render(plan_for("dealt"), "shell", model="/models/x")["start.sh"]
    second = started_by(script, NODE_RANK="1", HEAD_ADDRESS="10.0.0.1")
    assert second[-5:] == [
        "--data-parallel-size-local=8",
        "--data-parallel-start-rank=8",
        "--data-parallel-address=10.0.0.1",
        "--data-parallel-rpc-port=13345",
        "--headless",
    ]
    assert "--enable-expert-parallel" in second


def test_a_script_that_is_told_nothing_of_its_node_says_what_it_needs() -> None:
    script = render(plan_for("stages"), "shell", model="/models/x")["start.sh"]
    ran = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, timeout=10, check=False
    )
    assert ran.returncode != 0
    assert "NODE_RANK: 0 on the first node, 1 on the second" in ran.stderr


def test_pools_are_scripts_of_each_kind_of_server_and_their_router() -> None:
    files = render(plan_for("pools"), "shell", model="/models/x")
    assert list(files) == ["prefill.sh", "decode.sh", "router.sh"]
    prompts = started_by(files["prefill.sh"], HOST="10.0.0.1", PORT="8101")
    at = prompts.index("--kv-transfer-config")
    assert json.loads(prompts[at + 1]) == {"kv_connector": "NixlConnector", "kv_role": "kv_producer"}
    assert prompts[-4:] == ["--host", "10.0.0.1", "--port", "8101"]
    tokens = started_by(files["decode.sh"])
    assert json.loads(tokens[tokens.index("--kv-transfer-config") + 1])["kv_role"] == "kv_consumer"
    assert tokens[tokens.index("--max-num-seqs") + 1] == "22"  # 64 over 3
    said = files["decode.sh"]
    assert "# Start 3 of them, each on 4 accelerators, then router.sh." in said
    assert 'VLLM_NIXL_SIDE_CHANNEL_HOST="$HOST" VLLM_NIXL_SIDE_CHANNEL_PORT=$((PORT + 1000))' in said


def test_the_router_names_every_server() -> None:
    script = render(plan_for("pools"), "shell", model="/models/x")["router.sh"]
    tokens = ["http://10.0.0.2:8200", "http://10.0.0.2:8201", "http://10.0.0.1:8200"]
    words = started_by(script, PREFILL="http://10.0.0.1:8100", DECODE=" ".join(tokens))
    assert words[:2] == ["vllm-router", "--vllm-pd-disaggregation"]
    assert words[-8:-6] == ["--prefill", "http://10.0.0.1:8100"]
    assert words[-6:] == [word for url in tokens for word in ("--decode", url)]
    here = started_by(render(plan_for("one-node pools"), "shell", model="/models/x")["router.sh"])
    assert here[-4:] == ["--prefill", "http://127.0.0.1:8100", "--decode", "http://127.0.0.1:8200"]


def test_sglangs_prompt_servers_have_a_bootstrap_port_each_that_the_router_names() -> None:
    files = render(plan_for("sglang pools"), "shell", model="/models/x")
    prompts = started_by(files["prefill.sh"], PORT="8101")
    assert prompts[prompts.index("--disaggregation-mode") + 1] == "prefill"
    assert prompts[prompts.index("--disaggregation-bootstrap-port") + 1] == "9101"
    assert prompts.count("--disaggregation-bootstrap-port") == 1
    words = started_by(files["router.sh"])
    assert words[3] == "--pd-disaggregation"
    assert words[-10:-4] == [
        "--prefill", "http://127.0.0.1:8100", "9100", "--prefill", "http://127.0.0.1:8101", "9101",
    ]  # fmt: skip


def test_one_machines_pools_are_one_compose_project_with_devices_of_their_own() -> None:
    services = yaml.safe_load(render(plan_for("one-node pools"), "compose", model="/models/x")["compose.yaml"])[
        "services"
    ]
    assert list(services) == ["prefill-0", "decode-0", "router"]
    (prompts,) = services["prefill-0"]["deploy"]["resources"]["reservations"]["devices"]
    (tokens,) = services["decode-0"]["deploy"]["resources"]["reservations"]["devices"]
    assert prompts["device_ids"] == ["0", "1", "2", "3"]
    assert tokens["device_ids"] == ["4", "5", "6", "7"]
    assert services["prefill-0"]["environment"]["VLLM_NIXL_SIDE_CHANNEL_HOST"] == "prefill-0"
    router = services["router"]
    assert router["command"][-4:] == ["--prefill", "http://prefill-0:8000", "--decode", "http://decode-0:8000"]
    assert router["entrypoint"][2].endswith('vllm-router==0.1.17 && exec "$$0" "$$@"')
    assert set(router["depends_on"]) == {"prefill-0", "decode-0"}


def documents(files: dict[str, str]) -> list[dict[str, Any]]:
    return [found for name, text in files.items() if name.endswith(".yaml") for found in yaml.safe_load_all(text)]


def test_kubernetes_has_a_deployment_and_service_of_each_pool_and_the_router() -> None:
    files = render(plan_for("pools"), "kubernetes", model="meta-llama/Llama-3.1-70B-Instruct")
    found = {(each["kind"], each["metadata"]["name"]): each for each in documents(files)}
    assert {name for kind, name in found if kind == "Deployment"} == {
        "llama-3-1-70b-prefill", "llama-3-1-70b-decode", "llama-3-1-70b-router",
    }  # fmt: skip
    tokens = found["Deployment", "llama-3-1-70b-decode"]["spec"]
    assert tokens["replicas"] == 3
    server = tokens["template"]["spec"]["containers"][0]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "4"
    assert json.loads(server["args"][server["args"].index("--kv-transfer-config") + 1])["kv_role"] == "kv_consumer"
    (own,) = [each for each in server["env"] if each["name"] == "VLLM_NIXL_SIDE_CHANNEL_HOST"]
    assert own["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    router = found["Deployment", "llama-3-1-70b-router"]["spec"]["template"]["spec"]["containers"][0]
    assert router["args"][-4:] == [
        "--prefill", "http://llama-3-1-70b-prefill.default.svc:80",
        "--decode", "http://llama-3-1-70b-decode.default.svc:80",
    ]  # fmt: skip
    assert not any("kserve" in name for name in files)


def test_kubernetes_leaves_the_rank_of_attention_copies_to_a_shell() -> None:
    text = render(plan_for("dealt"), "kubernetes", model="deepseek-ai/DeepSeek-V3")["serve.yaml"]
    group = next(yaml.safe_load_all(text))["spec"]["leaderWorkerTemplate"]
    worker = group["workerTemplate"]["spec"]["containers"][0]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert worker["args"][-4:] == [
        "--data-parallel-size-local=8",
        "--data-parallel-address=$(LWS_LEADER_ADDRESS)",
        "--data-parallel-rpc-port=13345",
        "--headless",
    ]
    script = worker["command"][2].replace("$$(", "$(").replace("exec", "printf '%s '")  # as Kubernetes hands it over
    environment = {"PATH": "/usr/bin:/bin", "LWS_WORKER_INDEX": "1"}
    ran = subprocess.run(
        ["sh", "-c", script, *worker["command"][3:]],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=10,
    )
    assert ran.stdout == "vllm serve --data-parallel-start-rank=8 "


@pytest.mark.parametrize("layout", ["pools", "dealt", "stages"])
def test_kubernetes_own_schemas_accept_the_manifests(layout: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    version = load_yaml("kubernetes.yaml")["versions"]["kubernetes"]["name"]
    for document in documents(render(plan_for(layout), "kubernetes", model="hub/model")):
        if "." not in document["apiVersion"].split("/")[0]:
            validator.validate(document, version, strict=True)


REFUSED: list[tuple[str, Kind, str]] = [
    ("pools", "compose", "Compose describes one machine; the prompt and decode servers of this plan stand on 2"),
    ("stages", "compose", "Compose starts a server on one machine; a copy of this plan stands on 2"),
    ("stages", "systemd", "a unit starts a server on one machine; a copy of this plan stands on 2"),
    ("pools", "systemd", "a unit starts servers that are all alike; the plan has prompt and decode servers"),
    ("pools", "ray-serve", "Ray Serve starts servers that are all alike; the plan has prompt and decode servers"),
    ("pools", "skypilot", "a SkyPilot task starts servers that are all alike; the plan has prompt and decode servers"),
    ("sglang pools", "kubernetes", "SGLang's router names the prompt server that holds a cache"),
]


@pytest.mark.parametrize(("layout", "kind", "said"), REFUSED)
def test_files_that_cannot_hold_such_a_copy_say_so(layout: str, kind: Kind, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        render(plan_for(layout), kind, model="/models/x")


def test_every_script_is_one_that_a_shell_reads(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        for name, text in render(plan_for(layout), "shell", model="/models/a 'b'").items():
            path = tmp_path / name
            path.write_text(text)
            subprocess.run(["sh", "-n", str(path)], check=True, timeout=10)
