"""A Ray cluster of this test session's own, as ``ray start`` makes it: private ports and folder, killed at will."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import drills
from faulty_s3 import free_port

QUICK = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_prestart_worker_first_driver": "0",
}
"""A host that is gone is missed after seconds, not half a minute; no worker is started that nobody asked for."""


class Host:
    """What one ``ray start`` has started."""

    def __init__(self, *options: str, cpus: int) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *options, f"--num-cpus={cpus}"),
                *("--object-store-memory=100000000", "--min-worker-port=0", "--max-worker-port=0"),
                *("--dashboard-agent-listen-port=0", "--disable-usage-stats", "--include-log-monitor=false"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | QUICK,
        )
        said = []
        for line in self.process.stdout or ():
            said.append(line)
            if "Ray runtime started" in line:
                return
        raise AssertionError(f"ray start failed:\n{''.join(said)}")

    def kill(self) -> None:
        """All of it at once, as when the power fails."""
        drills.kill(*drills.descendants(self.process.pid), self.process.pid)
        self.process.wait()


class Cluster:
    """A head with two CPUs; it can lose its power and come back at the same address."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ray")  # not in tmp_path: Ray's sockets must have short names
        self.port = free_port()
        self.hosts: list[Host] = []
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        head = ("--head", f"--port={self.port}", f"--temp-dir={self.folder}")
        self.hosts.append(Host(*head, "--include-dashboard=false", "--no-monitor", cpus=2))

    def add(self, cpus: int) -> Host:
        """One more host, at another address of this machine, so that a driver does not take it for its own."""
        self.hosts.append(Host(f"--address={self.address}", "--node-ip-address=127.0.0.2", cpus=cpus))
        return self.hosts[-1]

    def kill(self) -> None:
        while self.hosts:
            self.hosts.pop().kill()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def raylet(pid: int) -> int:
    """The raylet among the processes that this one has started."""
    (found,) = (below for below in drills.descendants(pid) if b"raylet/raylet" in command_line(below).split(b"\0")[0])
    return found


def command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
