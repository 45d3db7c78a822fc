#!/usr/bin/env bash
# How many stations a machine bears: simulator and monitor side by side, every point of every
# station read each second. Prints the figures that stand in docs/measurements.md.
#
#   benches/fleet.sh               1 000 stations for ten minutes
#   benches/fleet.sh 5000 60       5 000 stations for a minute
#
# CPU is taken over the whole of the stretch but its first SETTLE seconds (10), slots and links
# from its very beginning. Needs bash, awk, and free ports from 15200 on (BASE sets another first
# port); above some 9 900 stations also more than 20 000 open files a process.
set -euo pipefail
cd "$(dirname "$0")/.."
stations=${1:-1000}
seconds=${2:-600}
settle=${SETTLE:-10}
base=${BASE:-15201}
cargo build --release --locked --quiet
program=${CARGO_TARGET_DIR:-target}/release/gridwatch
folder=$(mktemp -d)
simulator='' monitor=''
trap 'kill $simulator $monitor 2>/dev/null || true; rm -rf "$folder"' EXIT

touch "$folder/simulator"
"$program" simulate --fleet "$stations" --port-base "$base" >"$folder/simulator" &
simulator=$!
until grep -q '^watch it with' "$folder/simulator"; do
    kill -0 "$simulator" 2>/dev/null || exit 1
    sleep 0.1
done
"$program" monitor --fleet "$stations" --port-base "$base" \
    --once --json --after "$((settle + seconds))" >"$folder/picture" &
monitor=$!

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
sleep "$settle"
from=$(date +%s.%N) simulator_from=$(ticks "$simulator") monitor_from=$(ticks "$monitor")
sleep "$((seconds - 2))"
to=$(date +%s.%N)
echo "$stations stations, $(nproc) cores, $seconds s"
for name in simulator monitor; do
    pid=${!name} before="${name}_from"
    echo "$(ticks "$pid") ${!before} $(getconf CLK_TCK) $to $from" |
        awk -v name="$name" '{ printf "%-9s %6.1f %% of one core\n", name, ($1 - $2) / $3 / ($4 - $5) * 100 }'
    awk -v name="$name" '/VmHWM/ { printf "%-9s %6.0f MB resident at most\n", name, $2 / 1024 }' "/proc/$pid/status"
done
wait "$monitor" || true
monitor=''
field() { grep -o "\"$1\":[0-9.]*" "$folder/picture" | tail -n 1 | cut -d: -f2; }
# The only centre's counts stand in front of those of the stations.
live=$(head -c 2000 "$folder/picture" | grep -o '"live":{[^}]*}' | sed -n '1s/[^0-9,]//g;1s/,/\//p')
awk -v requests="$(field requests)" -v window="$(field window_s)" \
    'BEGIN { printf "requests  %8.0f a second\n", requests / window }'
echo "live      $live required points"
echo "missed    $(field missed_slots) slots, $(field links_lost) links lost"
echo "faults    $(field no_reply) without reply, $(field refused) refused, $(field undecodable) undecodable"
kill -INT "$simulator"
wait "$simulator" || true
simulator=''
tail -n 1 "$folder/simulator"
