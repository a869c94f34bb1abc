"""Machines made of network namespaces, on a bridge of their own: they reach nobody else."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

COUNTED = itertools.count()


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass
class Machine:
    """A namespace with an address, a home and a working directory of its own."""

    namespace: str
    address: str
    home: Path
    background: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def argv(self, command: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, "bash", "-c", command]

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FEDTUI", "XDG"))}
        programs = str(Path(sys.executable).parent)
        return kept | {"HOME": str(self.home), "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(self, command: str) -> str:
        done = subprocess.run(
            self.argv(command),
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Run a program in the background; its output can be read line by line."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *argv],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.background.append(process)
        return process

    def serve(self, command: str) -> None:
        """Start a command that ends in '&' and wait until it says that it listens."""
        log = self.home / "serve.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                self.argv(f"exec {command.removesuffix('&').strip()}"),
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.background.append(process)
        while "listening on" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)

    def kill_all(self) -> None:
        """End every process of this namespace: all of them were started in it by the test."""
        pids = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
        )
        for pid in pids.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        for process in self.background:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[dict[str, Machine]]:
    """Three machines: server 10.77.0.1, ward-a 10.77.0.2, ward-b 10.77.0.3; and fd77::1 to 3."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need the ip command (Debian: iproute2)")
    # names of their own for each test: the kernel takes a moment to let go of those before
    tag = f"ft{os.getpid() % 100_000}{next(COUNTED)}"
    bridge = f"{tag}br"
    machines: dict[str, Machine] = {}
    try:
        ip("link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
        ip("link", "set", bridge, "up")
        for number, name in enumerate(("server", "ward-a", "ward-b"), start=1):
            namespace, link = f"{tag}n{number}", f"{tag}v{number}"
            home = tmp_path / name
            home.mkdir(mode=0o700)
            ip("netns", "add", namespace)
            machines[name] = Machine(namespace, f"10.77.0.{number}", home)
            ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            ip("link", "set", link, "master", bridge, "up")
            ip("-n", namespace, "link", "set", "lo", "up")
            ip("-n", namespace, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            ip("-n", namespace, "addr", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
            ip("-n", namespace, "link", "set", "eth0", "up")
        yield machines
    finally:
        for machine in machines.values():
            machine.kill_all()
            subprocess.run(["ip", "netns", "del", machine.namespace], check=False)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)
