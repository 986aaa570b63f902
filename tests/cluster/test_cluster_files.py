"""The files a cluster is started from, checked without a network: Ray's own schema, and what this project promises."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import drills
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
FILES = ["cluster.yaml", "cluster/gcp.yaml", "cluster/on_premise.yaml"]
CLOUDS = FILES[:2]

every_file = pytest.mark.parametrize("name", FILES)
every_cloud = pytest.mark.parametrize("name", CLOUDS)


def raw(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return content


@every_file
def test_ray_accepts_the_file(name: str) -> None:
    validate_config(prepare_config(raw(name)))


def test_a_misspelt_key_would_be_found() -> None:
    with pytest.raises(Exception, match="idle_timeout_minute"):
        validate_config(prepare_config(raw("cluster.yaml") | {"idle_timeout_minute": 5}))


@every_file
def test_the_project_is_installed_at_its_pinned_versions_and_nothing_listens_beyond_its_host(name: str) -> None:
    config = raw(name)
    ((remote, local),) = config["file_mounts"].items()
    assert local == "." and any(
        f"--constraint ~/{Path(remote).name}/constraints.txt" in command for command in config["setup_commands"]
    )
    assert (ROOT / "constraints.txt").is_file()
    head = " ".join(config["head_start_ray_commands"])
    assert "--dashboard-host=127.0.0.1" in head and "0.0.0.0" not in head


@every_cloud
def test_the_head_drives_and_spot_workers_come_and_go(name: str) -> None:
    config = raw(name)
    head, worker = (config["available_node_types"][kind] for kind in ("head", "gpu_worker"))
    assert head["resources"] == {"CPU": 0} and worker["min_workers"] == 0 < worker["max_workers"]
    assert config["idle_timeout_minutes"] > 0
    assert re.search("spot|preemptible", str(worker["node_config"]).lower())
    assert not re.search("spot|preemptible", str(head["node_config"]).lower())


@every_file
def test_no_file_holds_a_secret(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"(?i)(secret|access_key|password|token)\s*[:=]\s*\S", text)
    if name in CLOUDS:
        assert "IamInstanceProfile" in text or "serviceAccounts" in text


def test_every_file_the_guide_names_exists() -> None:
    for guide in ("docs/cluster.md", "cluster/slurm.md"):
        folder = (ROOT / guide).parent
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / guide).read_text()):
            assert (folder / link).exists(), f"{guide} links to {link}"


# Slurm ---------------------------------------------------------------------------------------------------------------

STUBS = {
    "scontrol": 'printf "host-a\\nhost-b\\n"',
    "hostname": "echo 127.0.0.1",
    # srun [options] command: note it, and run what is not Ray itself
    "srun": 'while [[ "$1" == --* ]]; do shift; done; echo "$@" >> "$NOTES"; '
    'if [ "$1" = ray ]; then trap "exit 0" TERM; while :; do sleep 0.1; done; fi; exec "$@"',
    # the script asks Ray how many hosts are alive
    "python": 'echo "${ALIVE:-2}"',
}


@pytest.fixture
def allocation(tmp_path: Path) -> dict[str, str]:
    """An environment that looks like the first host of an allocation of two."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "activate").write_text("")
    for name, body in STUBS.items():
        stub = tmp_path / "bin" / name
        stub.write_text(f"#!/usr/bin/env bash\n{body}\n")
        stub.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "NOTES": str(tmp_path / "notes"),
        "ENVIRONMENT": str(tmp_path / "venv"),
        "SLURM_JOB_ID": "1234567",
        "SLURM_JOB_NODELIST": "host-[a-b]",
        "SLURM_CPUS_ON_NODE": "8",
        "SLURM_GPUS_ON_NODE": "4",
    }


def slurm(*command: str) -> list[str]:
    return ["bash", str(ROOT / "cluster" / "slurm.sh"), *command]


def test_slurm_starts_ray_on_every_host_and_returns_the_commands_exit_code(allocation: dict[str, str]) -> None:
    run = subprocess.run(
        slurm("bash", "-c", 'echo "at $RAY_ADDRESS, $RAY_AUTH_MODE ${#RAY_AUTH_TOKEN}"; exit 3'),
        env=allocation,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 3, run.stderr
    assert "at 127.0.0.1:24567, token 64" in run.stdout
    notes = Path(allocation["NOTES"]).read_text().splitlines()
    started = sorted(line for line in notes if line.startswith("ray start"))
    assert len(started) == 2 and all("--num-cpus=8 --num-gpus=4" in line for line in started)
    assert "--address=127.0.0.1:24567" in started[0] and "--head" in started[1]


def test_slurm_passes_a_signal_on_and_waits_for_the_command(allocation: dict[str, str], tmp_path: Path) -> None:
    ready, saved = tmp_path / "ready", tmp_path / "saved"
    body = f"trap 'sleep 0.5; touch {saved}; exit 1' TERM; touch {ready}; while :; do sleep 0.1; done"
    process = subprocess.Popen(slurm("bash", "-c", body), env=allocation, text=True)
    drills.wait_until(ready.exists, process)
    process.terminate()
    assert process.wait(timeout=60) == 1 and saved.exists()


def test_slurm_says_when_a_host_does_not_answer(allocation: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bin" / "sleep").write_text("#!/usr/bin/env bash\n")  # no need to wait for the two minutes
    (tmp_path / "bin" / "sleep").chmod(0o755)
    run = subprocess.run(slurm("true"), env=allocation | {"ALIVE": "1"}, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1 and "all 2 hosts" in run.stderr and "1 answered" in run.stderr


def test_slurm_without_a_command_says_what_is_missing() -> None:
    run = subprocess.run(slurm(), capture_output=True, text=True, timeout=60)
    assert run.returncode == 2 and "needs the command" in run.stderr
