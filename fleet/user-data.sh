#!/usr/bin/env bash
# Makes an instance a replica: finds its data volume, mounts it read-only, and starts the server.
#
# fleet/template.yaml carries this file word for word (make docs puts it there) behind a few lines
# that set what it reads: FLEET, ENVIRONMENT, GROUP, REGION, INSTANCE_ARNS, DATA_DEVICE,
# DATA_FILE_SYSTEM, DATA_DIRECTORY, SERVICE_PORT, HEALTH_PATH, STARTUP_SECONDS, CONTAINER_IMAGE,
# START_COMMAND, LOG_GROUP, METRICS, REGISTRY_TABLE, REGISTRY_KEY. ROOT is empty but in tests.
#
# A step that fails ends the script with its reason in the log (the console's too), in the status
# file and in the registry, and no server is started, or it is stopped: the load balancer sees a
# target that does not answer, a rollout counts it as evidence, and the group replaces it after its
# grace. It does not call SetInstanceHealth: that right cannot be limited to the caller itself, and
# a broken replica must not be able to condemn its neighbours. Nor cfn-signal: CloudFormation does
# not wait for instances that Auto Scaling launches later.
#
# A replica that was restarted is not repaired: it has no server then, and is replaced as well.
set -euo pipefail

ROOT=${ROOT:-}
STEP=start
INSTANCE=unknown
ADDRESS=""
SNAPSHOT=""
DATA_TIME=""
LOGS=$ROOT/var/log/replica
STATUS_FILE=$ROOT/run/snaproll/status.json
ENV_FILE=$ROOT/etc/snaproll/replica.env
AGENT=$ROOT/opt/aws/amazon-cloudwatch-agent
REGISTRY_SECONDS=2592000
METADATA=http://169.254.169.254/latest

# -- telling ---------------------------------------------------------------------------------------

# These leave what they make in REPLY: a subshell for every word would make a boot slow.

now() { TZ=UTC printf -v REPLY '%(%Y-%m-%dT%H:%M:%SZ)T' -1; }

# A JSON string of any text.
quote() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  REPLY="\"${text//[[:cntrl:]]/}\""
}

# A JSON object of names and texts; an empty text is null.
object() {
  local members=""
  while (($#)); do
    REPLY=null
    [[ -z $2 ]] || quote "$2"
    members+="${members:+, }\"$1\": $REPLY"
    shift 2
  done
  REPLY="{$members}"
}

log() { # LEVEL MESSAGE
  now
  object at "$REPLY" level "$1" step "$STEP" message "$2" fleet "$FLEET" \
    environment "$ENVIRONMENT" instance "$INSTANCE" snapshot "$SNAPSHOT" data_time "$DATA_TIME"
  echo "$REPLY" | tee -a "$LOGS/boot.log"
}

step() { # NAME MESSAGE
  STEP=$1
  log info "$2"
}

status() { # STATE REASON
  now
  object state "$1" reason "$2" fleet "$FLEET" environment "$ENVIRONMENT" instance "$INSTANCE" \
    snapshot "$SNAPSHOT" data_time "$DATA_TIME" at "$REPLY"
  echo "$REPLY" >"$STATUS_FILE.new"
  chmod 644 "$STATUS_FILE.new"
  mv "$STATUS_FILE.new" "$STATUS_FILE"
}

# Writes this instance's own item, the only one that its role may write.
register() { # STATE REASON
  [[ -n $REGISTRY_TABLE && $INSTANCE != unknown ]] || return 0
  local item="" member
  now
  for member in "$REGISTRY_KEY=$INSTANCE_ARNS$INSTANCE" "instance_id=$INSTANCE" role=replica \
    "fleet=$FLEET" "environment=$ENVIRONMENT" "state=$1" "reason=$2" "address=$ADDRESS" \
    "port=$SERVICE_PORT" "snapshot=$SNAPSHOT" "data_time=$DATA_TIME" "updated_at=$REPLY"; do
    quote "${member#*=}"
    [[ -z ${member#*=} ]] || item+="\"${member%%=*}\": {\"S\": $REPLY}, "
  done
  # For the table's time to live, if it has one: nobody can delete the item of a dead instance.
  item+="\"expires_at\": {\"N\": \"$((EPOCHSECONDS + REGISTRY_SECONDS))\"}"
  aws dynamodb put-item --region "$REGION" --table-name "$REGISTRY_TABLE" --item "{$item}" \
    || log warning "the registry $REGISTRY_TABLE did not take the state $1"
}

fail() { # REASON
  trap - EXIT
  log error "$1"
  status failed "$1" || log error "the status file could not be written"
  register failed "$STEP: $1"
  systemctl stop replica 2>/dev/null || true
  exit 1
}

attempts() { # COUNT PAUSE COMMAND...
  local left=$1 pause=$2
  shift 2
  until "$@"; do
    ((--left)) || return 1
    sleep "$pause"
  done
}

# -- steps -----------------------------------------------------------------------------------------

metadata() { # PATH
  curl --silent --show-error --fail --max-time 5 --retry 5 --retry-connrefused \
    --header "X-aws-ec2-metadata-token: $TOKEN" "$METADATA/$1"
}

identify() {
  TOKEN=$(curl --silent --show-error --fail --max-time 5 --retry 5 --retry-connrefused \
    --request PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 300" "$METADATA/api/token") \
    || fail "the metadata service gave no token"
  INSTANCE=$(metadata meta-data/instance-id) || fail "the metadata service gave no instance id"
  ADDRESS=$(metadata meta-data/local-ipv4) || fail "the metadata service gave no address"
}

installed() { # PROGRAM PACKAGE
  [[ -x $1 ]] || command -v "$1" >/dev/null || attempts 5 10 dnf install --assumeyes --quiet "$2"
}

# Without the agent a replica serves as well, but nobody sees its memory: a warning, no failure.
start_agent() {
  local fixed="\"append_dimensions\": {\"AutoScalingGroupName\": \"$GROUP\"}"
  installed "$AGENT/bin/amazon-cloudwatch-agent-ctl" amazon-cloudwatch-agent || return 1
  mkdir -p "$AGENT/etc"
  cat >"$AGENT/etc/replica.json" <<JSON
{"agent": {"metrics_collection_interval": 60, "omit_hostname": true},
 "metrics": {"namespace": "$METRICS", "aggregation_dimensions": [["AutoScalingGroupName"]],
  "metrics_collected": {
   "mem": {"measurement": ["mem_used_percent"], $fixed},
   "disk": {"measurement": ["disk_used_percent"], "resources": ["/"], "drop_device": true, $fixed},
   "net": {"measurement": ["net_bytes_sent", "net_bytes_recv"], $fixed},
   "netstat": {"measurement": ["netstat_tcp_established", "netstat_tcp_time_wait"], $fixed}}},
 "logs": {"logs_collected": {"files": {"collect_list": [
   {"file_path": "$LOGS/boot.log", "log_group_name": "$LOG_GROUP",
    "log_stream_name": "{instance_id}/boot"},
   {"file_path": "$LOGS/server.log", "log_group_name": "$LOG_GROUP",
    "log_stream_name": "{instance_id}/server"}]}}}}
JSON
  "$AGENT/bin/amazon-cloudwatch-agent-ctl" -a fetch-config -m ec2 -s -c "file:$AGENT/etc/replica.json"
}

# The instance's own volume tells what it serves: the launch template's user data is the same for
# every snapshot, because a rollout changes the snapshot in the block device mapping alone.
attached() {
  local answer
  answer=$(aws ec2 describe-volumes --region "$REGION" --output text \
    --filters "Name=attachment.instance-id,Values=$INSTANCE" \
    "Name=attachment.device,Values=$DATA_DEVICE" --query 'Volumes[0].[VolumeId, SnapshotId]') \
    || return 1
  read -r VOLUME SNAPSHOT <<<"$answer"
  [[ $VOLUME == vol-* ]]
}

find_volume() {
  if ! attempts 30 5 attached; then
    SNAPSHOT=""
    fail "no volume is attached as $DATA_DEVICE, or the role may not look (ec2:DescribeVolumes)"
  fi
  if [[ $SNAPSHOT != snap-* ]]; then
    SNAPSHOT=""
    fail "$VOLUME at $DATA_DEVICE was not made from a snapshot"
  fi
}

# The same rule as snaproll's: the publisher's tag, else the start of a snapshot of a volume.
find_data_time() {
  local answer source transfer begun tag
  answer=$(aws ec2 describe-snapshots --region "$REGION" --snapshot-ids "$SNAPSHOT" --output text \
    --query "Snapshots[0].[VolumeId, TransferType, StartTime, \
Tags[?Key=='snaproll:data-time'].Value | [0]]") || return 1
  IFS=$'\t' read -r source transfer begun tag <<<"$answer"
  if [[ $tag != None ]]; then
    DATA_TIME=$tag
  elif [[ $transfer == None && $source != vol-ffffffff && $begun != None ]]; then
    DATA_TIME=$begun
  else
    return 1
  fi
}

# An NVMe device has the volume's id as its serial number, without the hyphen, and its name has
# nothing to do with the mapping's (EBS user guide, "Map Amazon EBS volumes to NVMe device names").
device_of_volume() {
  local name serial
  while read -r name serial; do
    if [[ ${serial//-/} == "${VOLUME//-/}" ]]; then
      DEVICE=$ROOT/dev/$name
      return 0
    fi
  done < <(lsblk --nodeps --noheadings --output NAME,SERIAL)
  for name in "$DATA_DEVICE" "${DATA_DEVICE/\/dev\/sd//dev/xvd}"; do
    if [[ -e $ROOT$name ]]; then
      DEVICE=$(readlink -f "$ROOT$name")
      return 0
    fi
  done
  return 1
}

mount_data() {
  local found options
  found=$(blkid --probe --match-tag TYPE --output value "$DEVICE") \
    || fail "$DEVICE holds no file system that could be recognised"
  [[ $found == "$DATA_FILE_SYSTEM" ]] || fail "$DEVICE holds $found, not $DATA_FILE_SYSTEM"
  mkdir -p "$ROOT$DATA_DIRECTORY"
  mount --types "$DATA_FILE_SYSTEM" --options ro,nosuid,nodev,noatime "$DEVICE" \
    "$ROOT$DATA_DIRECTORY" || fail "$DEVICE could not be mounted"
  options=$(findmnt --noheadings --output OPTIONS "$ROOT$DATA_DIRECTORY") \
    || fail "$DATA_DIRECTORY is not mounted"
  [[ ,$options, == *,ro,* ]] || fail "$DATA_DIRECTORY is mounted as $options, not read-only"
}

write_environment() {
  cat >"$ENV_FILE" <<ENV
SNAPROLL_FLEET=$FLEET
SNAPROLL_ENVIRONMENT=$ENVIRONMENT
SNAPROLL_INSTANCE=$INSTANCE
SNAPROLL_SNAPSHOT=$SNAPSHOT
SNAPROLL_DATA_TIME=$DATA_TIME
SNAPROLL_DATA_DIRECTORY=$DATA_DIRECTORY
SNAPROLL_PORT=$SERVICE_PORT
SNAPROLL_HEALTH_PATH=$HEALTH_PATH
SNAPROLL_STATUS_FILE=/run/snaproll/status.json
ENV
}

# Answers the health check with the status file as long as the data is there.
write_stand_in() {
  cat >"$ROOT/usr/local/bin/replica-stand-in" <<'PYTHON'
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class StandIn(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == os.environ["SNAPROLL_HEALTH_PATH"]
        served = os.path.ismount(os.environ["SNAPROLL_DATA_DIRECTORY"])
        body = Path(os.environ["SNAPROLL_STATUS_FILE"]).read_bytes() if known else b"{}"
        self.send_response(404 if not known else 200 if served else 503)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

HTTPServer(("", int(os.environ["SNAPROLL_PORT"])), StandIn).serve_forever()
PYTHON
}

unit() { # COMMAND...
  systemd-run --unit=replica --property=Restart=always --property=RestartSec=5 \
    --property="EnvironmentFile=$ENV_FILE" --property="StandardOutput=append:$LOGS/server.log" \
    --property="StandardError=append:$LOGS/server.log" "$@"
}

pull_image() {
  if [[ $CONTAINER_IMAGE == *.dkr.ecr.* ]]; then
    aws ecr get-login-password --region "$REGION" \
      | docker login --username AWS --password-stdin "${CONTAINER_IMAGE%%/*}" || return 1
  fi
  docker pull --quiet "$CONTAINER_IMAGE"
}

start_server() {
  if [[ -n $CONTAINER_IMAGE ]]; then
    installed docker docker || fail "docker could not be installed"
    systemctl start docker || fail "docker does not start"
    attempts 5 10 pull_image || fail "the image $CONTAINER_IMAGE could not be pulled"
    unit docker run --rm --name replica --read-only --tmpfs /tmp --env-file "$ENV_FILE" \
      --publish "$SERVICE_PORT:$SERVICE_PORT" --volume "$DATA_DIRECTORY:$DATA_DIRECTORY:ro" \
      --volume /run/snaproll:/run/snaproll:ro "$CONTAINER_IMAGE" \
      || fail "the container was not started"
  elif [[ -n $START_COMMAND ]]; then
    unit --property=DynamicUser=yes --property=ProtectSystem=strict /bin/bash -c "$START_COMMAND" \
      || fail "the start command was not started"
  else
    write_stand_in
    unit --property=DynamicUser=yes python3 /usr/local/bin/replica-stand-in \
      || fail "the stand-in for a server was not started"
  fi
}

healthy() {
  curl --silent --fail --output /dev/null --max-time 5 "http://127.0.0.1:$SERVICE_PORT$HEALTH_PATH"
}

# -- one after the other ---------------------------------------------------------------------------

mkdir -p "$LOGS" "$ROOT/run/snaproll" "$ROOT/etc/snaproll" "$ROOT/usr/local/bin" "$ROOT/etc/logrotate.d"
trap 'fail "$BASH_COMMAND failed"' EXIT
printf '%s {\n  size 50M\n  rotate 2\n  copytruncate\n  missingok\n}\n' "$LOGS/server.log" \
  >"$ROOT/etc/logrotate.d/replica"

step identify "asking who this is"
identify
status starting ""
register starting ""
step agent "starting the CloudWatch agent"
start_agent || log warning "the CloudWatch agent does not run: metrics and logs of this replica are missing"
step volume "looking for the volume at $DATA_DEVICE"
find_volume
step data-time "asking when the data of $SNAPSHOT was true"
find_data_time || log warning "the data time of $SNAPSHOT is unknown"
step device "waiting for the device of $VOLUME"
attempts 60 2 device_of_volume || fail "no block device shows up for $VOLUME"
step mount "mounting $DEVICE at $DATA_DIRECTORY"
mount_data
step server "starting the server"
write_environment
status starting ""
start_server
step health "waiting until $HEALTH_PATH answers"
attempts "$((STARTUP_SECONDS / 5))" 5 healthy \
  || fail "the server did not answer $HEALTH_PATH on port $SERVICE_PORT in $STARTUP_SECONDS s"
status serving ""
register serving ""
step ready "serving $SNAPSHOT"
trap - EXIT
