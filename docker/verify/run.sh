#!/bin/bash
# Try the deployed form for real where there is no Docker daemon and no image registry: Debian's
# podman runs docker-compose.yml as it is; the base images are made from Debian's packages.
#
# usage: docker/verify/run.sh [--chain] [--keep] [--reuse] [--clean]
#   --chain   also simulate a small book, run the whole chain through Airflow and query the result
#   --keep    leave the containers running (stop them with docker/verify/run.sh --clean)
#   --reuse   take the images of an earlier run as they are
#   --clean   remove containers, volumes, images and everything else that earlier runs left
#
# Root on Debian or Ubuntu with namespaces and bridges. Images stay in $CREDITOPS_VERIFY_DIR
# (default: creditops-verify in the temp directory), so a second run is quick. Optional:
#   CREDITOPS_CA_BUNDLE       certificate authorities for the build, if not the system's
#   CREDITOPS_PACKAGE_INDEX   file of shell assignments that name a package index
#   CREDITOPS_AIRFLOW_PORT, CREDITOPS_MLFLOW_PORT, CREDITOPS_POSTGRES_PORT   ports on loopback
set -euo pipefail
umask 077

root=$(cd "$(dirname "$0")/../.." && pwd)
work=${CREDITOPS_VERIFY_DIR:-${TMPDIR:-/tmp}/creditops-verify}
here=$root/docker/verify
compose=$root/.venv/bin/podman-compose
[ -x "$compose" ] || compose=podman-compose
chain=false keep=false reuse=false clean=false
for argument in "$@"; do
    case $argument in
        --chain) chain=true ;;
        --keep) keep=true ;;
        --reuse) reuse=true ;;
        --clean) clean=true ;;
        *) sed -n '2,17p' "$0" >&2; exit 2 ;;
    esac
done

export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
export PYTHON_IMAGE=localhost/creditops-base/python:3.11
export POSTGRES_IMAGE=localhost/creditops-base/postgres:18
export CREDITOPS_IMAGE=localhost/creditops:verify
export CREDITOPS_POSTGRES_PORT=${CREDITOPS_POSTGRES_PORT:-15432}
export CREDITOPS_MLFLOW_PORT=${CREDITOPS_MLFLOW_PORT:-15000}
export CREDITOPS_AIRFLOW_PORT=${CREDITOPS_AIRFLOW_PORT:-18080}
project=creditops-verify

say() { printf '%6.1f s  %s\n' "$(seconds_since "$began")" "$*"; }
seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { print b - a }'; }
fail() { echo "FAILED: $*" >&2; exit 1; }
container() { echo "${project}_$1_1"; }
began=$(date +%s.%N)

# podman-compose, with what it and podman say kept for the case of a failure.
in_project() {
    (cd "$root" && "$compose" --env-file "$work/env" -p "$project" "$@") >> "$work/compose.log" 2>&1
}

cli() {
    (cd "$root" && "$compose" --env-file "$work/env" -p "$project" --profile tools run --rm --no-deps -T creditops "$@") \
        2>> "$work/compose.log"
}

install_tools() {
    local missing=()
    for tool in podman runc debootstrap iptables catatonit; do
        command -v "$tool" > /dev/null || [ -x "/usr/libexec/podman/$tool" ] || missing+=("$tool")
    done
    [ -e /usr/lib/podman/netavark ] || missing+=(netavark aardvark-dns)
    if [ ${#missing[@]} -gt 0 ]; then
        say "installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
    fi
}

# A storage of its own; limits within what a confined root may set; no systemd for health timers.
configure() {
    mkdir -p "$work"
    cat > "$work/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=16384:16384"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
EOF
    local driver=overlay
    mkdir -p "$work"/probe/{lower,upper,work,merged}
    if mount -t overlay overlay "$work/probe/merged" \
        -o "lowerdir=$work/probe/lower,upperdir=$work/probe/upper,workdir=$work/probe/work" 2> /dev/null; then
        umount "$work/probe/merged"
    else
        driver=vfs
    fi
    rm -rf "$work/probe"
    cat > "$work/storage.conf" <<EOF
[storage]
driver = "$driver"
graphroot = "$work/storage"
runroot = "$work/run"
EOF
    [ -s "$work/env" ] || "$root/docker/make-env.sh" "$work/env" > /dev/null
}

make_python_base() {
    podman image exists "$PYTHON_IMAGE" && return
    say "making a base image with Debian's Python 3.11"
    debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata,python3,python3-venv \
        bookworm "$work/python-base" > "$work/debootstrap.log"
    tar -C "$work/python-base" -c . | podman import - "$PYTHON_IMAGE" > /dev/null 2>&1
    rm -rf "$work/python-base"
}

build_images() {
    local options=(--layers --isolation chroot --network host)
    local bundle=${CREDITOPS_CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
    [ ! -e "$bundle" ] || options+=(--secret "id=ca_bundle,src=$bundle")
    [ -z "${CREDITOPS_PACKAGE_INDEX:-}" ] || options+=(--secret "id=package_index,src=$CREDITOPS_PACKAGE_INDEX")
    say "building the project image"
    # The first stage gets a name, so that pruning does not cost the next build its cache.
    for target in "--target environment -t localhost/creditops:environment" "-t $CREDITOPS_IMAGE"; do
        # shellcheck disable=SC2086
        podman build "${options[@]}" --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" $target \
            -f "$root/docker/Dockerfile" "$root" > "$work/build.log" 2>&1 || fail "build, see $work/build.log"
    done
    say "project image: $(podman image inspect --format '{{.Size}}' "$CREDITOPS_IMAGE" | awk '{ printf "%.2f GB", $1 / 1e9 }')"
    podman build "${options[@]}" --build-arg "BASE_IMAGE=$PYTHON_IMAGE" --build-arg "PROJECT_IMAGE=$CREDITOPS_IMAGE" \
        -f "$here/postgres.Dockerfile" -t "$POSTGRES_IMAGE" "$here" >> "$work/build.log" 2>&1 \
        || fail "build of the PostgreSQL image, see $work/build.log"
    podman image prune --force > /dev/null 2>&1
}

# podman before 4.6 does not wait for conditions, and without systemd nobody runs health checks:
# this does both, in the order that depends_on asks for.
healthy() {
    local service start
    start=$(date +%s.%N)
    for service in "$@"; do
        local tries=0
        until podman healthcheck run "$(container "$service")" > "$work/health.log" 2>&1; do
            tries=$((tries + 1))
            if [ "$tries" -ge 180 ]; then
                podman logs --tail 40 "$(container "$service")" >&2 || true
                fail "$service is not healthy: $(cat "$work/health.log")"
            fi
            sleep 1
        done
        say "$service is healthy, $(printf '%.0f' "$(seconds_since "$start")") s after its start"
    done
}

start() {
    in_project up --detach --no-build --no-deps "$@" || fail "start of $*, see $work/compose.log"
    healthy "$@"
}

start_all() {
    start postgres
    local at
    at=$(date +%s.%N)
    in_project up --no-build --no-deps init || true
    [ "$(podman inspect --format '{{.State.ExitCode}}' "$(container init)")" = 0 ] \
        || { podman logs "$(container init)" >&2; fail init; }
    say "init done in $(printf '%.0f' "$(seconds_since "$at")") s"
    start mlflow airflow-api-server
    start airflow-scheduler airflow-dag-processor airflow-triggerer
}

stop_all() {
    in_project --profile tools down "$@" || true
}

check_confinement() {
    local service user
    for service in mlflow airflow-api-server airflow-scheduler airflow-dag-processor airflow-triggerer; do
        user=$(podman exec "$(container "$service")" id -u)
        [ "$user" = 10001 ] || fail "$service runs as $user"
        ! podman exec "$(container "$service")" touch /opt/creditops/probe 2> /dev/null \
            || fail "$service can write to its image"
    done
    for port in "$CREDITOPS_POSTGRES_PORT" "$CREDITOPS_MLFLOW_PORT" "$CREDITOPS_AIRFLOW_PORT"; do
        ss -Hltn "sport = :$port" | grep -q "127.0.0.1:$port" || fail "port $port is not published"
        ! ss -Hltn "sport = :$port" | grep -qv "127.0.0.1:$port" || fail "port $port is open beyond loopback"
    done
    local secret
    podman history --no-trunc --format '{{.CreatedBy}}' "$CREDITOPS_IMAGE" > "$work/history"
    podman image inspect "$CREDITOPS_IMAGE" >> "$work/history"
    while IFS='=' read -r _ secret; do
        ! grep -qF "$secret" "$work/history" || fail "the image holds a secret"
    done < "$work/env"
    say "confined: uid 10001, read-only images, loopback ports, no secret in the image"
}

check_roles() {
    cli query 'select count(*) as n from publish.customer_scores' --as bi_reader > /dev/null \
        || fail "bi_reader cannot read publish, see $work/compose.log"
    ! cli query 'select count(*) from raw.customers' --as bi_reader > /dev/null || fail "bi_reader can read raw"
    say "bi_reader reads publish and is refused on raw"
}

run_chain() {
    local at as_of=2026-06-30
    at=$(date +%s.%N)
    (cd "$root" && "$compose" --env-file "$work/env" -p "$project" --profile tools run --rm --no-deps -T --entrypoint sh creditops -c \
        "creditops simulate --out /tmp/demo --as-of $as_of && creditops ingest demo /tmp/demo --as-of $as_of --land-only") \
        >> "$work/compose.log" 2>&1 || fail "simulate, see $work/compose.log"
    say "demo book simulated and landed"
    cli run all --as-of "$as_of" --book demo > "$work/chain.log" \
        || { tail -40 "$work/chain.log" >&2; fail "the chain, see $work/chain.log and $work/compose.log"; }
    say "chain done in $(printf '%.0f' "$(seconds_since "$at")") s"
    cli query "select 'customer_scores' as published, count(*) as rows from publish.customer_scores where book = 'demo'
        union all select 'early_warnings', count(*) from publish.early_warnings where book = 'demo'
        union all select 'portfolio_monthly', count(*) from publish.portfolio_monthly where book = 'demo'
        union all select 'roll_rates', count(*) from publish.roll_rates where book = 'demo'" --json > "$work/published.json"
    python3 -c "
import json, sys
rows = {row['published']: row['rows'] for row in json.load(open(sys.argv[1]))}
print('         published:', ', '.join(f'{name} {count}' for name, count in rows.items()))
sys.exit(not all(rows.values()))" "$work/published.json" || fail "nothing published"
    podman exec "$(container airflow-scheduler)" sh -c 'ls /var/lib/creditops/reports/*.html' | sed 's/^/         report: /'
    podman exec "$(container mlflow)" sh -c 'find /var/lib/creditops/mlflow/artifacts -type f | wc -l' \
        | sed 's/^/         artifact files served by MLflow: /'
}

check_restart() {
    local before after
    before=$(cli query 'select publication_id from publish.publication order by 1' --json)
    stop_all
    start_all
    after=$(cli query 'select publication_id from publish.publication order by 1' --json)
    [ "$before" = "$after" ] || fail "publications differ after a restart"
    say "stopped, made anew from the volumes: the same publications"
}

if $clean; then
    stop_all --volumes 2> /dev/null || true
    podman system reset --force > /dev/null 2>&1 || true
    rm -rf "$work"
    exit
fi

[ "$(id -u)" = 0 ] || fail "needs root"
install_tools
configure
: > "$work/compose.log"
if ! $reuse || ! podman image exists "$POSTGRES_IMAGE"; then
    make_python_base
    build_images
fi
stop_all --volumes
$keep || trap 'stop_all --volumes' EXIT
in_project config || fail "the compose file, see $work/compose.log"
start_all
check_confinement
check_roles
if $chain; then
    run_chain
fi
check_restart
podman stats --no-stream --format '{{.Name}} {{.MemUsage}}' 2> /dev/null | sed 's/^/         /'
say "verified"
