"""Scripts and services of a copy that is more than one server: a script a node, or prompt servers, decode servers and
their router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.errors import BadInput
from planner.launching.joining import HEAD, RANK, followers_words, own_words
from planner.launching.pools import router_of, servers_of

if TYPE_CHECKING:
    from planner.launching.launching import Files, Launching
    from planner.plan import Plan

ADDRESS_WORDS = 4  # --host H --port P, which every engine's command ends with
BOOTSTRAP = "--disaggregation-bootstrap-port"
SIDE_PORTS = 1000  # added to a server's own port
FIRST_PORTS = {"prefill": 100, "decode": 200}  # added to the port of the router


def node_words(plan: Plan) -> dict[str, Any]:
    """What the start script needs of a copy over nodes: words for every node, and for all but the first."""
    if plan.chosen.nodes == 1:
        return {"joining": [], "following": []}
    return {"joining": own_words(plan, f"${RANK}", f"${HEAD}"), "following": followers_words(plan)}


def pool_scripts(launching: Launching) -> Files:
    """`prefill.sh` and `decode.sh` start one server each, `router.sh` what stands in front of all of them."""
    from planner.launching.launching import template

    router, files = router_of(launching.plan), {}
    for role, server in servers_of(launching).items():
        words, own = _without_bootstrap(server.command(server.model, "")[:-ADDRESS_WORDS])
        about = {"command": words, "own": own, "role": role, "port": _first_port(server, role)}
        files[f"{role}.sh"] = template("pool.sh.j2", server, **about)
    urls = {f"{role}_urls": _urls(launching, role, server) for role, server in servers_of(launching).items()}
    beside = f' "$(( ${{url##*:}} + {SIDE_PORTS} ))"' if router.bootstrap else ""
    files["router.sh"] = template("router.sh.j2", launching, router=router, bootstrap=beside, **urls)
    return files


def _without_bootstrap(command: list[str]) -> tuple[list[str], str]:
    """SGLang's prompt servers of one machine need a bootstrap port each: in a script it follows from their own port."""
    if BOOTSTRAP not in command:
        return command, ""
    at = command.index(BOOTSTRAP)
    return command[:at] + command[at + 2 :], f'{BOOTSTRAP} "$((PORT + {SIDE_PORTS}))" '


def pool_services(launching: Launching) -> Files:
    """A Compose project of all servers on one machine. BadInput where they stand on several."""
    from planner.launching.launching import EVERYWHERE, template

    plan = launching.plan
    if plan.chosen.nodes > 1:
        raise BadInput(
            f"Compose describes one machine; the prompt and decode servers of this plan stand on {plan.chosen.nodes}",
            fix="render it as shell (a script for each kind of server) or for kubernetes",
        )
    if launching.image is None:
        raise BadInput(f"no container image of {plan.chosen.engine} is published", fix="render it as shell")
    servers, taken = [], 0
    for role, server in servers_of(launching).items():
        for number in range(server.plan.chosen.replicas):
            devices = [str(taken + each) for each in range(server.plan.chosen.tensor_parallel)]
            taken += len(devices)
            command = server.command(server.mounted, EVERYWHERE, "container_program")
            servers.append({"name": f"{role}-{number}", "role": role, "command": command, "devices": devices})
    urls = {
        role: [f"http://{each['name']}:{launching.port}" for each in servers if each["role"] == role]
        for role in ("prefill", "decode")
    }
    router = router_of(plan)
    command = router.command(urls["prefill"], urls["decode"], launching.port)
    about = {"servers": servers, "router": router, "command": command}
    return {"compose.yaml": template("pools.compose.yaml.j2", launching, **about)}


def _first_port(launching: Launching, role: str) -> int:
    return launching.port + FIRST_PORTS[role]


def _urls(launching: Launching, role: str, server: Launching) -> list[str]:
    """Where the servers answer when all stand on this machine, a port each."""
    first = _first_port(launching, role)
    return [f"http://127.0.0.1:{first + number}" for number in range(server.plan.chosen.replicas)]
