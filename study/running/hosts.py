"""The hosts of a Ray cluster and what each has to give: those that are up, and those its autoscaler may still start.

Ray offers drivers the first, but not the second: that is in the file which the autoscaler goes by, and of which it is
known on the head alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
import yaml

Host = Mapping[str, float]
"""Amounts by resource, such as {"CPU": 8.0, "GPU": 1.0, "memory": 3e10}."""

HEAD = "node:__internal_head__"
"""The resource by which Ray marks the head."""


def hosts_up() -> list[Host]:
    """The hosts that can run something now."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def hosts_to_come(up: Sequence[Host]) -> list[Host]:
    """The hosts that the autoscaler may start beside these; none where there is no autoscaler."""
    here = ray.get_runtime_context()
    if here.get_node_id() in {node["NodeID"] for node in ray.nodes() if HEAD in node["Resources"]}:
        return to_come(autoscaling(here.gcs_address), up)
    on_head = ray.remote(num_cpus=0, resources={HEAD: 0.001})(autoscaling)
    return to_come(ray.get(on_head.remote(here.gcs_address)), up)


def autoscaling(gcs_address: str) -> dict[str, Any]:
    """The cluster as its autoscaler, a process of the head, was told to shape it; empty if it was told nothing."""
    import psutil  # comes with Ray, and is found once Ray is imported

    for process in psutil.process_iter(["cmdline"]):
        options = dict(
            word.split("=", 1) for word in process.info["cmdline"] or [] if word.startswith("--") and "=" in word
        )
        if options.get("--gcs-address") == gcs_address and "--autoscaling-config" in options:
            content: dict[str, Any] = yaml.safe_load(Path(options["--autoscaling-config"]).expanduser().read_text())
            return content
    return {}


def to_come(config: dict[str, Any], up: Sequence[Host]) -> list[Host]:
    """Of each type of worker as many as ``ray up`` would allow and are not up."""
    found: list[Host] = []
    for name, kind in config.get("available_node_types", {}).items():
        if name != config["head_node_type"]:
            resources = kind.get("resources", {})
            most = min(config["max_workers"], kind.get("max_workers", config["max_workers"]))
            found += [resources] * (most - sum(resources.items() <= host.items() for host in up))
    return found
