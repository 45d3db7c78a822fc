#!/usr/bin/env bash
# What asking costs: replies of 125 registers read per CPU-second of the client process, ours beside
# tokio-modbus, voltage_modbus, libmodbus (when its headers are installed) and the raw limit of tokio.
# Rounds alternate; medians are printed, in thousands. Figures stand in docs/measurements.md.
#
#   benches/requests.sh           five rounds of 4 s
#   benches/requests.sh 3 2       three rounds of 2 s
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
seconds=${2:-4}
port=24100
export CARGO_TARGET_DIR=target/requests
cargo build --release --locked --quiet --manifest-path benches/requests/Cargo.toml
program=target/requests/release/requests
c=target/requests-libmodbus
mkdir -p target
cc -O2 -o "$c" benches/requests.c -lmodbus 2>/dev/null || { c=; echo "without libmodbus: its headers are not installed"; }
results=$(mktemp)
# Station and client share one core, so that both are measured at full load.
pin=; command -v taskset >/dev/null && pin="taskset -c 0"
$pin "$program" station "$port" & station=$!
trap 'kill "$station" 2>/dev/null || true; rm -f "$results"' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done

run() { # client connections in-flight
    if [ "$1" = libmodbus ]; then said=$($pin "$c" "$port" "$2" "$seconds"); else said=$($pin "$program" "$1" "$port" "$2" "$3" "$seconds"); fi
    echo "$1 $2 $3 $said" >>"$results"
}
for _ in $(seq "$rounds"); do
    for connections in 1 10 100; do
        for client in gridwatch tokio-modbus ${c:+libmodbus} limit; do run "$client" "$connections" 1; done
        for depth in 8 16; do
            for client in gridwatch voltage_modbus limit; do run "$client" "$connections" "$depth"; done
        done
    done
done
sort -k3,3n -k2,2n -k1,1 "$results" | awk '
    { key = $1 " " $2 " " $3; value = $4 / $5 / 1000; n[key]++; v[key, n[key]] = value }
    function median(key,   i, j, t, m, a) {
        m = n[key]; for (i = 1; i <= m; i++) a[i] = v[key, i]
        for (i = 1; i <= m; i++) for (j = i + 1; j <= m; j++) if (a[j] < a[i]) { t = a[i]; a[i] = a[j]; a[j] = t }
        return m ? a[int((m + 1) / 2)] : 0
    }
    END {
        printf "%-11s %-9s %10s %13s %15s %10s %10s   ours against: tokio-modbus (1 in flight)  voltage  limit\n", "connections", "in flight", "gridwatch", "tokio-modbus", "voltage_modbus", "libmodbus", "limit"
        split("1 8 16", depths, " "); split("1 10 100", counts, " ")
        for (d = 1; d <= 3; d++) for (c = 1; c <= 3; c++) {
            place = " " counts[c] " " depths[d]
            ours = median("gridwatch" place); lib = median("tokio-modbus " counts[c] " 1")
            volt = median("voltage_modbus" place); raw = median("limit" place)
            printf "%-11s %-9s %10.0f %13.0f %15.0f %10.0f %10.0f   x%.2f  x%.2f  %.2f\n", counts[c], depths[d], ours, lib, volt, median("libmodbus" place), raw, ours / lib, volt ? ours / volt : 0, ours / raw
        }
    }'
