#!/usr/bin/env bash
# What simulated time costs without sockets, and how far what is sent is from what is true. Prints
# the figures that stand in docs/measurements.md.
#
#   benches/field.sh           a day of both provinces, a week of Hòa Bình: some six minutes
#   benches/field.sh 1 2       an hour of both, two hours of Hòa Bình
set -euo pipefail
cd "$(dirname "$0")/.."
day=${1:-24}
week=${2:-168}
cargo build --release --locked --quiet -p gridwatch-sim --example day
for run in "config/hoa-binh.toml $day" "config/thai-nguyen.toml $day" "config/hoa-binh.toml $week"; do
    echo "== $run"
    # shellcheck disable=SC2086 # a file and a number
    bash -c 'time target/release/examples/day "$@"' bash $run
done
