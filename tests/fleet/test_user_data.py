"""The replicas' user data on a stand-in for an instance: each step, and each way that it fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.machine import AGENT, SCRIPT, SETTINGS, Boot, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def registered(boot: Boot) -> list[dict[str, str]]:
    """The items that the registry was given, in their order."""
    items: list[dict[str, Any]] = [
        json.loads(call[call.index("--item") + 1]) for call in boot.called("aws", "dynamodb")
    ]
    return [{name: value.get("S", "") for name, value in item.items()} for item in items]


# -- all is well ----------------------------------------------------------------------------------


def test_the_data_is_mounted_read_only(machine: Machine) -> None:
    boot = machine.boot()

    assert boot.code == 0, boot.complaint
    (mount,) = boot.called("mount")
    assert mount[mount.index("--options") + 1].split(",")[0] == "ro"
    assert mount[-2:] == [f"{machine.root}/dev/nvme1n1", f"{machine.root}/data"]


def test_the_server_and_the_health_endpoint_know_what_is_served(machine: Machine) -> None:
    machine.boot()

    served = {"snapshot": "snap-0bbbb", "data_time": "2026-01-05T09:00:00+00:00"}
    assert machine.status().items() >= {"state": "serving", "reason": None, **served}.items()
    environment = machine.environment()
    assert environment["SNAPROLL_SNAPSHOT"] == served["snapshot"]
    assert environment["SNAPROLL_DATA_TIME"] == served["data_time"]
    assert environment["SNAPROLL_STATUS_FILE"] == "/run/snaproll/status.json"


def test_a_publishers_tag_is_the_data_time(machine: Machine) -> None:
    tagged = r"printf 'vol-ffffffff\tstandard\t2026-01-05T09:00:00Z\t2026-01-04T00:00:00Z\n'"
    machine.answer("aws", "describe-snapshots", tagged)

    machine.boot()

    assert machine.status()["data_time"] == "2026-01-04T00:00:00Z"


def test_a_copy_without_a_tag_has_no_data_time_and_serves(machine: Machine) -> None:
    copied = r"printf 'vol-ffffffff\tstandard\t2026-01-05T09:00:00Z\tNone\n'"
    machine.answer("aws", "describe-snapshots", copied)

    boot = machine.boot()

    assert boot.code == 0
    assert machine.status()["data_time"] is None
    assert [line["message"] for line in boot.log if line["level"] == "warning"] == [
        "the data time of snap-0bbbb is unknown"
    ]


def test_every_line_is_json_that_says_who_where_and_what(machine: Machine) -> None:
    boot = machine.boot()

    assert [line["step"] for line in boot.log] == [
        *("identify", "agent", "volume", "data-time", "device", "mount", "server", "health"),
        "ready",
    ]
    names = {"at", "level", "step", "message", "fleet", "environment", "instance"}
    assert all(line.keys() == names | {"snapshot", "data_time"} for line in boot.log)
    kept = (machine.root / "var/log/replica/boot.log").read_text(encoding="utf-8")
    assert [json.loads(line) for line in kept.splitlines()] == boot.log


def test_the_registry_gets_one_item_under_the_instances_own_arn(machine: Machine) -> None:
    starting, serving = registered(machine.boot())

    assert starting["state"] == "starting"
    assert serving["state"] == "serving"
    assert (
        starting["instance"]
        == serving["instance"]
        == ("arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0")
    )
    assert serving["snapshot"] == "snap-0bbbb"


def test_without_a_table_nothing_is_registered(machine: Machine) -> None:
    boot = machine.boot(REGISTRY_TABLE="")

    assert boot.code == 0
    assert registered(boot) == []


def test_a_container_gets_the_data_read_only_and_the_status_file(machine: Machine) -> None:
    boot = machine.boot(CONTAINER_IMAGE="111122223333.dkr.ecr.us-east-1.amazonaws.com/api:7")

    assert boot.code == 0, boot.complaint
    assert boot.called("docker", "login")
    (unit,) = boot.called("systemd-run")
    assert {"/data:/data:ro", "/run/snaproll:/run/snaproll:ro", "--read-only"} < set(unit)
    assert unit[-1].endswith("/api:7")


def test_an_image_of_another_registry_needs_no_login(machine: Machine) -> None:
    boot = machine.boot(CONTAINER_IMAGE="registry.example.com/api:7")

    assert boot.code == 0
    assert boot.called("docker", "login") == []


def test_a_start_command_is_one_command_of_a_service_without_rights(machine: Machine) -> None:
    boot = machine.boot(START_COMMAND='/opt/api --data "$SNAPROLL_DATA_DIRECTORY"')

    (unit,) = boot.called("systemd-run")
    assert unit[-1] == '/opt/api --data "$SNAPROLL_DATA_DIRECTORY"'
    assert "--property=DynamicUser=yes" in unit


def test_on_a_machine_without_nvme_the_device_has_the_mappings_name(machine: Machine) -> None:
    machine.program("lsblk", "echo xvda")
    (machine.root / "dev/xvdf").touch()

    boot = machine.boot(DATA_DEVICE="/dev/sdf")

    assert boot.code == 0, boot.complaint
    assert boot.called("mount")[0][-2] == str(machine.root / "dev/xvdf")


def test_the_agents_settings_are_json_and_name_the_log_group(machine: Machine) -> None:
    boot = machine.boot()

    file = machine.root / "opt/aws/amazon-cloudwatch-agent/etc/replica.json"
    agent = json.loads(file.read_text(encoding="utf-8"))
    assert boot.called(AGENT)[0][-1] == f"file:{file}"
    assert agent["metrics"]["metrics_collected"].keys() == {*("mem", "disk", "net", "netstat")}
    logs = agent["logs"]["logs_collected"]["files"]["collect_list"]
    assert {one["log_group_name"] for one in logs} == {SETTINGS["LOG_GROUP"]}


def test_without_the_agent_a_replica_serves_and_says_what_is_missing(machine: Machine) -> None:
    machine.program(AGENT, "exit 1")

    boot = machine.boot()

    assert boot.code == 0
    (warning,) = [line for line in boot.log if line["level"] == "warning"]
    assert warning["step"] == "agent"


def test_a_registry_that_refuses_is_a_warning(machine: Machine) -> None:
    machine.answer("aws", "put-item", "exit 255")

    boot = machine.boot()

    assert boot.code == 0
    assert {line["level"] for line in boot.log} == {"info", "warning"}


def test_what_shows_up_late_is_waited_for(machine: Machine) -> None:
    late = machine.root / "late"
    machine.program("lsblk", f"[[ -e {late} ]] && echo nvme1n1 vol0aaaa; touch {late}")

    assert machine.boot().code == 0


# -- what fails -----------------------------------------------------------------------------------

FAILURES = {
    "no token": ("curl", "api/token", "exit 7", "identify", "gave no token"),
    "no identity": ("curl", "instance-id", "exit 22", "identify", "gave no instance id"),
    "no address": ("curl", "local-ipv4", "exit 22", "identify", "gave no address"),
    "no volume": (
        *("aws", "describe-volumes", "printf 'None\n'", "volume"),
        "no volume is attached as /dev/xvdf",
    ),
    "no right to look": ("aws", "describe-volumes", "exit 254", "volume", "ec2:DescribeVolumes"),
    "an empty volume": (
        *("aws", "describe-volumes", r"printf 'vol-0aaaa\tNone\n'", "volume"),
        "vol-0aaaa at /dev/xvdf was not made from a snapshot",
    ),
    "no device": ("lsblk", "", "echo nvme0n1 vol0root", "device", "no block device shows up"),
    "no file system": ("blkid", "", "exit 2", "mount", "holds no file system"),
    "another file system": ("blkid", "", "echo ext4", "mount", "holds ext4, not xfs"),
    "no mount": ("mount", "", "exit 32", "mount", "could not be mounted"),
    "nothing mounted": ("findmnt", "", "exit 1", "mount", "/data is not mounted"),
    "writable": ("findmnt", "", "echo rw,relatime", "mount", "not read-only"),
    "no unit": ("systemd-run", "", "exit 1", "server", "was not started"),
    "no answer": ("curl", "127.0.0.1", "exit 22", "health", "did not answer /health on port 8080"),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES.keys())
def test_a_step_that_fails_ends_the_boot_with_its_reason(
    machine: Machine, case: tuple[str, str, str, str, str]
) -> None:
    program, words, body, step, reason = case
    machine.answer(program, words, body)

    boot = machine.boot()

    assert boot.code == 1
    assert (boot.log[-1]["level"], boot.log[-1]["step"]) == ("error", step)
    assert reason in boot.reason
    assert machine.status()["state"] == "failed"
    assert reason in machine.status()["reason"]
    assert len(boot.called("systemctl", "stop", "replica")) == 1
    if step != "identify":
        assert registered(boot)[-1]["state"] == "failed"
        assert registered(boot)[-1]["reason"] == f"{step}: {boot.reason}"


CONTAINER_FAILURES = {
    "no docker": ("systemctl", "start docker", "exit 1", "docker does not start"),
    "no login": ("docker", "login", "exit 1", "could not be pulled"),
    "no image": ("docker", "pull", "exit 1", "could not be pulled"),
    "no start": ("systemd-run", "", "exit 1", "the container was not started"),
}


@pytest.mark.parametrize("case", CONTAINER_FAILURES.values(), ids=CONTAINER_FAILURES.keys())
def test_a_container_that_cannot_run_ends_the_boot(
    machine: Machine, case: tuple[str, str, str, str]
) -> None:
    program, words, body, reason = case
    machine.answer(program, words, body)

    boot = machine.boot(CONTAINER_IMAGE="111122223333.dkr.ecr.us-east-1.amazonaws.com/api:7")

    assert (boot.code, boot.log[-1]["step"]) == (1, "server")
    assert reason in boot.reason


@pytest.mark.parametrize("step", ["identify", "volume", "device", "mount"])
def test_no_server_is_started_before_the_data_is_there(machine: Machine, step: str) -> None:
    program, words, body, *_ = next(it for it in FAILURES.values() if it[3] == step)
    machine.answer(program, words, body)

    assert machine.boot().called("systemd-run") == []


def test_what_nobody_thought_of_ends_the_boot_as_well(machine: Machine) -> None:
    (machine.root / "etc").mkdir()
    (machine.root / "etc/snaproll").mkdir()
    (machine.root / "etc/snaproll/replica.env").mkdir()

    boot = machine.boot()

    assert boot.code == 1
    assert boot.reason.endswith("failed")
    assert machine.status()["state"] == "failed"


def test_a_reason_with_quotes_and_line_ends_is_json_still(machine: Machine) -> None:
    machine.program("blkid", r"""printf '"odd\\"\nand\tmore'""")

    boot = machine.boot()

    assert 'holds "odd\\"\nand\tmore, not xfs' in boot.reason
    assert machine.status()["reason"] == boot.reason


# -- the script itself ----------------------------------------------------------------------------


def test_the_settings_that_the_script_names_are_the_ones_that_the_tests_give() -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    head = text[: text.index("set -euo")]

    assert set(re.findall(r"\b[A-Z][A-Z]+(?:_[A-Z]+)*\b(?=[,.])", head)) - {"ROOT"} == set(SETTINGS)
