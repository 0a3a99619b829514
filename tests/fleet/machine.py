"""A stand-in for an instance: a folder for its root, and programs that only pretend."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "fleet" / "user-data.sh"
PATIENCE_SECONDS = 60

SETTINGS = {
    "FLEET": "sec",
    "ENVIRONMENT": "prod",
    "GROUP": "prod-sec-replicas",
    "REGION": "us-east-1",
    "INSTANCE_ARNS": "arn:aws:ec2:us-east-1:111122223333:instance/",
    "DATA_DEVICE": "/dev/xvdf",
    "DATA_FILE_SYSTEM": "xfs",
    "DATA_DIRECTORY": "/data",
    "SERVICE_PORT": "8080",
    "HEALTH_PATH": "/health",
    "STARTUP_SECONDS": "30",
    "CONTAINER_IMAGE": "",
    "START_COMMAND": "",
    "LOG_GROUP": "/snaproll/prod/fleets/sec",
    "METRICS": "snaproll/replicas",
    "REGISTRY_TABLE": "registry",
    "REGISTRY_KEY": "instance",
}
"""What the template sets before the script."""
AGENT = "amazon-cloudwatch-agent-ctl"
PROGRAMS = {
    "curl": """case "$*" in
      *api/token*) echo TOKEN;;
      *instance-id*) echo i-0123456789abcdef0;;
      *local-ipv4*) echo 10.0.0.7;;
      *127.0.0.1*) ;;
      *) exit 22;;
    esac""",
    "aws": r"""case "$*" in
      *describe-volumes*) printf 'vol-0aaaa\tsnap-0bbbb\n';;
      *describe-snapshots*) printf 'vol-0cccc\tNone\t2026-01-05T09:00:00+00:00\tNone\n';;
      *put-item*|*get-login-password*) ;;
      *) exit 254;;
    esac""",
    "lsblk": "printf 'nvme0n1 vol0root\nnvme1n1 vol0aaaa\n'",
    "blkid": "echo xfs",
    "findmnt": "echo ro,nosuid,nodev,noatime",
    **dict.fromkeys(("mount", "systemctl", "systemd-run", "dnf", "docker", "sleep", AGENT), ""),
}
"""What each program does on a machine where all is well."""


@dataclass(frozen=True)
class Boot:
    """What came of one run of the script."""

    code: int
    log: list[dict[str, Any]]
    """The lines that went to the console."""
    calls: list[list[str]]
    complaint: str

    @property
    def reason(self) -> str:
        """The message of the last line."""
        message: str = self.log[-1]["message"]
        return message

    def called(self, *words: str) -> list[list[str]]:
        """The calls that begin with these words."""
        return [call for call in self.calls if call[: len(words)] == list(words)]


class Machine:
    """An instance that has not booted yet."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._bin = folder / "bin"
        self._calls = folder / "calls"
        self._calls.touch()
        self._bin.mkdir()
        agents = self.root / "opt/aws/amazon-cloudwatch-agent/bin"
        agents.mkdir(parents=True)
        (self.root / "dev").mkdir()
        for name, body in PROGRAMS.items():
            self.program(name, body)
        (agents / AGENT).symlink_to(self._bin / AGENT)

    def program(self, name: str, body: str) -> None:
        """Let a program do something else; every call of it is noted."""
        file = self._bin / name
        note = f'{{ printf "%q " {name} "$@"; echo; }} >>{shlex.quote(str(self._calls))}\n'
        file.write_text(f"#!/bin/bash\n{note}{body}\n", encoding="utf-8")
        file.chmod(0o755)

    def answer(self, name: str, words: str, body: str) -> None:
        """Let a program do something else when its words hold these, and the usual otherwise."""
        usual = PROGRAMS[name]
        self.program(name, f'case "$*" in *{words}*) {body};; *) {usual or ":"};; esac')

    def boot(self, **settings: str) -> Boot:
        """Run the script as cloud-init would, behind what the template sets."""
        return self._run(SCRIPT, SETTINGS | settings)

    def boot_with(self, user_data: Path) -> Boot:
        """Run user data that sets everything itself."""
        return self._run(user_data, {})

    def _run(self, script: Path, settings: dict[str, str]) -> Boot:
        done = subprocess.run(  # noqa: S603 - the script that the tests are about
            ["/bin/bash", str(script)],
            env={
                **settings,
                "ROOT": str(self.root),
                "PATH": f"{self._bin}:/usr/bin:/bin",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        calls = self._calls.read_text(encoding="utf-8").splitlines()
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return Boot(
            done.returncode,
            [json.loads(line) for line in lines],
            [shlex.split(call) for call in calls],
            done.stderr,
        )

    def status(self) -> Any:
        """What the health endpoint would show."""
        return json.loads((self.root / "run/snaproll/status.json").read_text(encoding="utf-8"))

    def environment(self) -> dict[str, str]:
        """What the server finds in its environment."""
        text = (self.root / "etc/snaproll/replica.env").read_text(encoding="utf-8")
        return dict(line.split("=", 1) for line in text.splitlines())
