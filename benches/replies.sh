#!/usr/bin/env bash
# Replies per CPU-second of the simulator's server beside tokio-modbus's own, the limit of the
# runtime, and libmodbus where it is installed. Prints the figures that stand in docs/measurements.md.
#
#   benches/replies.sh         five rounds of three seconds: some six minutes
#   benches/replies.sh 3 1     three rounds of one second
#
# Needs bash and Linux. Client and server share one processor where `taskset` is there. libmodbus
# takes part when `cc` and its headers are there (Debian: libmodbus-dev).
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
seconds=${2:-3}
cargo build --release --locked --quiet -p gridwatch-sim --example replies
others=()
program=target/release/examples/libmodbus
if cc -O2 -o "$program" benches/replies.c -I/usr/include/modbus -lmodbus 2>/dev/null; then
    others=("$program")
else
    echo "libmodbus takes no part: no cc, or no libmodbus-dev"
fi
alone=()
if command -v taskset >/dev/null; then
    alone=(taskset -c "$(($(nproc) - 1))")
fi
"${alone[@]}" target/release/examples/replies compare "$rounds" "$seconds" "${others[@]}"
