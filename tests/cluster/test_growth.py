"""A run on a cluster that is not complete when it starts: hosts that join are used, those to come are waited for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import drills
import pytest
from ray.cluster_utils import Cluster
from ray.util import get_node_ip_address

from study.store.claims import SUFFIX, parse
from study.store.store import Store

pytestmark = pytest.mark.slow

HEAD = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
WORKER = {"resources": {"CPU": 1, "object_store_memory": 80_000_000}, "node_config": {}, "max_workers": 1}
COMMANDS = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
UNUSED: dict[str, Any] = {
    **{f"{when}_commands": [] for when in COMMANDS},
    **{key: [] for key in ("cluster_synced_files", "rsync_exclude", "rsync_filter")},
    **{key: {} for key in ("auth", "docker", "file_mounts")},
    "file_mounts_sync_continuously": False,
}
"""What the autoscaler wants to be told, although workers that are processes need none of it."""
OPEN = {"RAY_AUTH_MODE": "disabled"}
"""No token is asked for, though an earlier Ray may have left one in the home folder."""


def test_a_host_that_joins_later_is_used(tiny_study: dict[str, Any], tmp_path: Path) -> None:
    tiny_study["scale"]["epochs"] = 2000  # each trial is a batch, for a host to take
    store = Store(tmp_path / "store", "tiny")

    def at_work() -> int:
        """How many processes run a trial."""
        names = [info.base_name for info in store.in_progress() if info.base_name.endswith(SUFFIX)]
        claims = [parse(store.files.read(f"checkpoints/{name}")) for name in names]
        return len({claim.pid for claim in claims if claim is not None})

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        study = drills.write_study(tmp_path, tiny_study)
        run = drills.start(study, tmp_path / "store", "--address", cluster.address)
        drills.wait_until(lambda: at_work() == 1, run)
        cluster.add_node(num_cpus=1)
        drills.wait_until(lambda: at_work() == 2, run)
        run.terminate()
        output, _ = run.communicate(timeout=120)
        assert run.returncode == 3, output
    finally:
        cluster.shutdown()


@contextmanager
def autoscaling_cluster(folder: Path) -> Iterator[str]:
    """Ray's own autoscaler with workers that are processes of this machine; yields the address."""
    host = get_node_ip_address()  # Ray reads 127.0.0.1 as this one
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    address = f"{host}:{port}"
    config = UNUSED | {
        "cluster_name": "grows",
        "max_workers": 1,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1.0,
        "provider": {"type": "fake_multinode", "gcs_address": address},
        "available_node_types": {"head": HEAD, "worker": WORKER},
        "head_node_type": "head",
    }
    (folder / "autoscaling.json").write_text(json.dumps(config))
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--node-ip-address={host}",
        f"--port={port}", "--num-cpus=0", "--include-dashboard=false",
        f"--autoscaling-config={folder / 'autoscaling.json'}",
    ]  # fmt: skip
    environment = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment | OPEN)
    try:
        drills.wait_until(lambda: "Ray runtime started" in (folder / "head.log").read_text(), head)
        yield address
    finally:
        drills.kill(head.pid, *drills.descendants(head.pid))
        head.wait(timeout=60)


def test_hosts_that_the_autoscaler_may_start_are_waited_for(table_study: dict[str, Any], tmp_path: Path) -> None:
    study = drills.write_study(tmp_path, table_study)
    with autoscaling_cluster(tmp_path) as address:
        run = drills.run(study, tmp_path / "store", "--address", address, **OPEN)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "waiting for the autoscaler" in run.stdout
    assert len(Store(tmp_path / "store", "table").finished()) == 6
