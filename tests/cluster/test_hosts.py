"""A study on several hosts, from ``ray up`` to ``ray down``: a host dies, one joins, the driver dies; no row differs.

The hosts are namespaces of this machine (``hosts``); what starts Ray on them is ``cluster/on_premise.yaml``.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import drills
import driver
import hosts
import pytest
import yaml
from inline import Inline
from sabotage import Ledger

from study.store.claims import SUFFIX, parse
from study.store.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
PROJECT = f"{hosts.HOME}/nas-study"
"""Where the project lies on the hosts."""
ADDRESSES = {"head": "10.77.0.10", "one": "10.77.0.11", "two": "10.77.0.12", "laptop": "10.77.0.20"}
NEW = "10.77.0.13"
PATIENCE_S = 600.0
"""For what takes a minute on a quiet machine."""
STUDY: dict[str, Any] = {
    "name": "spread",
    "dataset": {"name": "digits", "train_images": 128},
    "scale": {"channels": 2, "cells": 1, "epochs": 8, "batch_size": 32},
    "methods": {"darts": {}, "drnas": {}},
    "seeds": 4,
}
"""It trains next to nothing: while hosts die and join, a ledger is held, so that each of them has work left."""
TRIALS = 8
START = "--num-cpus=1 --object-store-memory=100000000"
ALIVE = """
import sys, time, ray, study
assert study.__file__.startswith(sys.argv[1]), f"the hosts run {study.__file__}"
ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
for _ in range(300):
    if {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]} == set(sys.argv[2:]):
        sys.exit()
    time.sleep(1)
sys.exit(f"waited in vain for {sys.argv[2:]}: {ray.nodes()}")
"""


class Cluster:
    """What a user does from a laptop, and what the store shows of it."""

    def __init__(self, machines: hosts.Hosts, folder: Path) -> None:
        """``folder`` is shared by all hosts."""
        self.machines, self.folder = machines, folder
        self.config, self.study = folder / "on_premise.yaml", drills.write_study(folder, STUDY)
        self.config.write_text(yaml.safe_dump(on_premise()))
        self.store, self.ledger = Store(folder / "disturbed", STUDY["name"]), Ledger(folder / "ledger")
        arguments = f"run {self.study} --address auto --store {folder / 'disturbed'}"
        self.held_run = self.on_head(f"python {driver.__file__} {self.ledger.path} {arguments}")
        self.run = self.on_head(f"nas-study {arguments}")

    def ray(self, line: str) -> str:
        return self.machines.run(
            "laptop", f"cd {ROOT} && RAY_UP_enable_autoscaler_v2=0 ray {line}", timeout_s=PATIENCE_S
        )

    def on_head(self, line: str) -> str:
        return f"exec {self.config} {shlex.quote(line)}"

    def wait_for(self, *names: str) -> None:
        """Until these hosts are Ray's, and no others."""
        self.ray(self.on_head(shlex.join(["python", "-c", ALIVE, PROJECT, *names])))

    def start(self, name: str, line: str) -> subprocess.Popen[str]:
        """Starts a line on the laptop; what it prints goes to the log of this name."""
        with self.log(name).open("w") as log:
            return self.machines.begin("laptop", line, log)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def add_host(self, name: str, address: str) -> None:
        """A machine that nobody planned for: its owner copies the project there and joins by hand."""
        self.machines.start(name, address)
        self.machines.run(
            name,
            f"mkdir {PROJECT} && cp -r {ROOT}/study {ROOT}/trainables {PROJECT} && "
            f"PYTHONPATH={PROJECT} ray start --address={ADDRESSES['head']}:6379 --node-ip-address={address} {START}",
        )

    def deaths(self) -> int:
        """How often the driver has said that it lost a worker."""
        return self.log("driver").read_text().count("is started anew")

    def finished(self) -> dict[str, str]:
        """Trial id -> the host it ended on."""
        return {trial_id: row["host"] for trial_id, row in self.store.finished(("host",)).items()}

    def running(self) -> set[str]:
        """The hosts that run a trial which has been saved at least once."""
        claims = [info.base_name for info in self.store.in_progress() if info.base_name.endswith(SUFFIX)]
        owners = {name: parse(self.store.files.read(f"checkpoints/{name}")) for name in claims}
        saved = set(self.store.checkpoints())
        return {owner.host for name, owner in owners.items() if owner and name.removesuffix(SUFFIX) in saved}

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Prints what is needed to understand a failure within the block."""
        try:
            yield
        except BaseException:
            print("".join(f"--- {name}: {text}\n" for name, text in self.state().items()))
            raise

    def state(self) -> dict[str, Any]:
        line = self.machines.command("head", "ray status")
        status = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60).stdout
        found = {path.name: path.read_text()[-4000:] for path in self.folder.glob("*.log")}
        return found | {"ray status": status, "running": self.running(), "finished": self.finished()}


def on_premise() -> dict[str, Any]:
    """``cluster/on_premise.yaml`` with what every user changes, and without what hosts behind no network cannot do.

    They borrow this machine's virtual environment instead of downloading one, but run the files that Ray brought them.
    """
    config: dict[str, Any] = yaml.safe_load((ROOT / "cluster/on_premise.yaml").read_text())
    config["provider"] |= {"head_ip": ADDRESSES["head"], "worker_ips": [ADDRESSES["one"], ADDRESSES["two"]]}
    config["auth"]["ssh_user"] = "root"
    config["file_mounts"] = {PROJECT: "."}
    *setup, install = config["setup_commands"]
    assert "pip install" in install
    use_files = f"grep -q PYTHONPATH ~/.bashrc || sed -i '1i export PYTHONPATH={PROJECT}' ~/.bashrc"
    config["setup_commands"] = [f"ln -sfn {sys.prefix} ~/venv", *setup, use_files]
    for kind in ("head", "worker"):
        config[f"{kind}_start_ray_commands"][-1] += f" {START}"
    return config


def test_hosts_and_driver_die_and_no_row_differs_from_an_undisturbed_run(tmp_path: Path) -> None:
    if reason := hosts.obstacle():
        pytest.skip(f"NOT TESTED: a study on several hosts. {reason}")
    shared = tmp_path / "shared"
    shared.mkdir()
    everywhere = [Path(sys.prefix), Path(sys.base_prefix), ROOT, shared]
    with hosts.Hosts(tmp_path / "hosts", ADDRESSES, everywhere) as machines, ThreadPoolExecutor(1) as beside:
        cluster = Cluster(machines, shared)
        with cluster.explained():
            at_death = disturbed_run(cluster, machines)
            undisturbed = beside.submit(Inline(STUDY, shared / "undisturbed").run)
            cluster.wait_for("head", "one", "two", "three")
            resumed = cluster.ray(cluster.run)
            assert "is started anew" not in resumed, resumed
            assert 0 < len(at_death) < TRIALS
            assert {"head", "one", "three"} <= set(cluster.finished().values())
            cluster.ray(f"down -y {cluster.config}")
            assert not machines.processes("head", "raylet")
            undisturbed.result()
    disturbed, alone = (drills.rows(shared / name, STUDY["name"]) for name in ("disturbed", "undisturbed"))
    assert len(disturbed[0]) == TRIALS and disturbed == alone


def disturbed_run(cluster: Cluster, machines: hosts.Hosts) -> dict[str, str]:
    """A host dies, one joins, the driver dies; returns what was finished then."""
    cluster.ray(f"up -y {cluster.config}")
    cluster.wait_for("head", "one", "two")
    with cluster.ledger.held():
        run = cluster.start("driver", f"ray {cluster.held_run}")

        def until(condition: Callable[[], Any]) -> None:
            drills.wait_until(condition, run, PATIENCE_S)

        until(lambda: cluster.finished() and cluster.running() == {"head", "one", "two"})
        deaths = cluster.deaths()
        machines.kill("two")
        cluster.add_host("three", NEW)
        machines.start("two", ADDRESSES["two"])  # its power is back; the autoscaler starts Ray on it again
        until(lambda: cluster.deaths() > deaths)
        until(lambda: "three" in cluster.running())
        drills.kill(*machines.processes("head", driver.__file__))
        assert run.wait(timeout=60) != 0
    return cluster.finished()
