"""Several hosts on one Linux machine, made of namespaces: what a cluster is, without a cloud.

A host has its own network, processes, host name, /tmp, home folder and /dev/shm, and an SSH server. It shares the rest
of the file system, and the folders it is told to share even where they lie below /tmp or the home folder. The hosts
reach each other over a bridge that lies in a namespace of its own, and nothing else.

All of it lives below one process, the switch, whose end ends everything: it reads from a pipe, and so outlives neither
the ``with`` block nor a Python that was killed in the middle of it. Nothing outside the namespaces is changed.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import drills

HOME = pwd.getpwuid(os.getuid()).pw_dir
"""What an SSH session takes for its home folder."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "sshd": "openssh-server", "rsync": "rsync"}
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc")

SWITCH = "ip link set lo up; ip link add bridge type bridge; ip link set bridge up; exec cat"
LAST_WORDS = 'unshare "$@"; exec sleep 3'
"""The network stays for a moment after the last process: the kernel tells the others that connections are closed."""

# Arguments: disk, name, sshd, the shared folders. `mount -c` takes a folder from where the shell stands, on the disk,
# although an earlier mount may have hidden the disk itself.
BOOT = """
cd "$1"; echo "$2" > /proc/sys/kernel/hostname; sshd=$3; shift 3
ip link set lo up
for path; do mkdir -p ".$path"; mount --rbind "$path" ".$path"; done
mount -t tmpfs tmpfs /run; mkdir /run/sshd
mount -t tmpfs tmpfs /dev/shm
mount -c --rbind ".$HOME" "$HOME"
mount -c --rbind ./tmp /tmp
cd /
exec "$sshd" -D -e -f /dev/null -h "$HOME/.ssh/id_ed25519" -o UsePAM=no -o StrictModes=no -o MaxStartups=100 \
    -o PasswordAuthentication=no -o PidFile=none
"""


def obstacle() -> str | None:
    """Why this machine cannot be several hosts, or None if it can."""
    if not sys.platform.startswith("linux"):
        return f"several hosts on one machine need Linux namespaces, and this is {sys.platform}"
    if os.getuid() != 0:
        return "only root may make namespaces with networks of their own"
    if missing := sorted({package for tool, package in TOOLS.items() if which(tool) is None}):
        return f"not installed: {', '.join(missing)} (apt-get install {' '.join(missing)})"
    probe = subprocess.run(
        ["unshare", "--net", *NAMESPACES, "--fork", "--mount-proc", "ip", "link", "add", "bridge", "type", "bridge"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    return f"this machine lets nobody make namespaces and bridges: {probe.stderr.strip()}" if probe.returncode else None


def which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


class Hosts:
    """Hosts by name, each at an address of the network 10.77.0.0/24, for as long as the ``with`` block runs."""

    def __init__(self, folder: Path, addresses: dict[str, str], shared: Iterable[Path]) -> None:
        """``folder`` takes the hosts' disks, ``shared`` are the folders that every host sees, at their own paths."""
        self.folder, self.addresses = folder, addresses
        self.shared = [str(path) for path in shared if str(path).startswith(("/tmp/", f"{HOME}/"))]
        self.first: dict[str, int] = {}
        self._count = itertools.count()

    def __enter__(self) -> Hosts:
        self.folder.mkdir(parents=True)
        self._key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self._key)], check=True, timeout=30)
        self._processes = [
            subprocess.Popen(
                ["unshare", "--net", "--pid", "--fork", "--mount-proc", "sh", "-ec", SWITCH], stdin=subprocess.PIPE
            )
        ]
        try:
            self._switch = first_process(self._processes[0])
            for name, address in self.addresses.items():
                self.start(name, address)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        switch = self._processes[0]
        assert switch.stdin is not None
        switch.stdin.close()
        for process in reversed(self._processes):
            process.wait(timeout=60)

    def start(self, name: str, address: str) -> None:
        """Switch a host on: with an empty disk, or, where it was there before, with its home folder."""
        number = next(self._count)
        disk = self.folder / name
        home = Path(f"{disk}{HOME}")
        if disk.exists():
            (disk / "tmp").rename(disk / f"tmp-before-{number}")
        else:
            (home / ".ssh").mkdir(parents=True)
            shutil.copy(self._key, home / ".ssh/id_ed25519")
            shutil.copy(self._key.with_suffix(".pub"), home / ".ssh/authorized_keys")
            (home / ".profile").write_text(". ~/.bashrc\n")
            (home / ".bashrc").write_text("# for interactive shells\n")
        (disk / "tmp").mkdir()
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                [
                    *("nsenter", "--target", str(self._switch), "--net", "--mount", "--pid"),
                    *("unshare", "--net", "sh", "-c", LAST_WORDS, "host", *NAMESPACES, "--fork", "--mount-proc"),
                    *("sh", "-ec", BOOT, "boot", str(disk), name, str(which("sshd")), *self.shared),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"HOME": HOME, "PATH": SYSTEM_PATH},
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        self.first[name] = first = first_process(process)
        link = f"link{number}"
        network(self._switch, f"link add {link} type veth peer name eth0 netns {first}")
        network(self._switch, f"link set {link} master bridge up")
        network(first, f"address add {address}/24 dev eth0")
        network(first, "link set eth0 up")

    def kill(self, name: str) -> None:
        """kill -9 of the host's first process: the kernel ends all others, and the network goes after them."""
        os.kill(self.first.pop(name), signal.SIGKILL)

    def command(self, name: str, line: str) -> list[str]:
        """A command that runs a line of bash on the host, as a login on its console would."""
        return [
            *("nsenter", "--target", str(self.first[name]), "--net", *NAMESPACES),
            *(
                "env",
                "-i",
                f"HOME={HOME}",
                "TERM=dumb",
                f"PATH={Path(sys.executable).parent}:{SYSTEM_PATH}",
                "LANG=C.UTF-8",
                "RAY_USAGE_STATS_ENABLED=0",
            ),
            *("bash", "-c", line),
        ]

    def begin(self, name: str, line: str, output: IO[str]) -> subprocess.Popen[str]:
        """Starts the line, which writes to the file.

        In a session of its own: Linux shares a busy machine fairly between sessions, but within one Ray's workers,
        which are nice, would get next to nothing beside the tests.
        """
        return subprocess.Popen(
            self.command(name, line), stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True,
            start_new_session=True,
        )  # fmt: skip

    def run(self, name: str, line: str, timeout_s: float = 120) -> str:
        """What the line prints, standard error included. Raises AssertionError if it fails."""
        done = subprocess.run(
            self.command(name, line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout_s, start_new_session=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{line} on {name}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def processes(self, name: str, word: str) -> list[int]:
        """The processes on the host whose command line contains the word."""
        return [pid for pid in drills.descendants(self.first[name]) if word in command_line(pid)]


def network(inside: int, arguments: str) -> None:
    """``ip`` in the network of a process; its own arguments may name processes of this machine."""
    subprocess.run(["nsenter", "--target", str(inside), "--net", "ip", *arguments.split()], check=True, timeout=30)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def first_process(process: subprocess.Popen[bytes]) -> int:
    """The process that is number 1 of the namespaces that ``process`` has made."""
    for _ in range(300):
        for pid in drills.descendants(process.pid):
            status = Path(f"/proc/{pid}/status").read_text()
            if next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1] == "1":
                return pid
        assert process.poll() is None, "the namespaces could not be made"
        time.sleep(0.1)
    raise AssertionError("the namespaces did not come to be within 30 s")
