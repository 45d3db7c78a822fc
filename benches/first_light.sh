#!/usr/bin/env bash
# What a start and an idle minute cost. Prints the figures that stand in docs/measurements.md.
#
#   benches/first_light.sh            five starts, one minute of an idle terminal
#   benches/first_light.sh 3 20       three starts, twenty seconds
#
# Needs bash, `script` (util-linux) for the pseudo-terminal, and free ports from 24001 on.
set -euo pipefail
cd "$(dirname "$0")/.."
starts=${1:-5}
seconds=${2:-60}
base=24001
cargo build --release --locked --quiet
program=target/release/gridwatch

echo "== start to the first complete picture of ten stations (demo --once --json), wall seconds"
for _ in $(seq "$starts"); do
    before=$(date +%s.%N)
    "$program" demo --once --json --port-base "$base" >/dev/null
    after=$(date +%s.%N)
    echo "$after $before" | awk '{ printf "%.2f\n", $1 - $2 }'
done | sort -n | awk '{ t[NR] = $1 } END { printf "min %s  median %s  max %s\n", t[1], t[int((NR + 1) / 2)], t[NR] }'

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

echo "== CPU of simulator and of monitor with an untouched 100x30 terminal, over $seconds s"
"$program" simulate --port-base "$base" >/dev/null &
simulator=$!
trap 'kill "$simulator" 2>/dev/null || true' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$base") 2>/dev/null; do :; done
fifo=$(mktemp -u)
mkfifo "$fifo"
script -qfec "stty cols 100 rows 30; exec $program monitor --port-base $base --lang en" /dev/null <"$fifo" >/dev/null &
exec 4>"$fifo"
rm "$fifo"
monitor=
until [ -n "$monitor" ]; do monitor=$(pgrep -f "^$program monitor --port-base $base" | head -n 1 || true); done
sleep 5
for name in simulator monitor; do
    declare "${name}_before=$(ticks "${!name}")"
done
sleep "$seconds"
per_second=$(getconf CLK_TCK)
for name in simulator monitor; do
    before="${name}_before"
    echo "$(ticks "${!name}") ${!before} $per_second $seconds" |
        awk -v name="$name" '{ printf "%-9s %.2f %% of one core\n", name, ($1 - $2) / $3 / $4 * 100 }'
    awk -v name="$name" '/VmRSS/ { printf "%-9s %.1f MB resident\n", name, $2 / 1024 }' "/proc/${!name}/status"
done
printf q >&4
exec 4>&-
