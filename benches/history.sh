#!/usr/bin/env bash
# What a day of history costs beside Prometheus and VictoriaMetrics: the same samples of a recorded
# province for all three, by remote write for the peers, through series and store for us. Prints the
# figures that stand in docs/measurements.md.
#
#   benches/history.sh       every point read each second: some ten minutes on two free cores
#   benches/history.sh 10    read every ten seconds, a tenth of the samples: some two minutes
#
# The peers get the samples twice: with true times in the unit of the point, and as it suits them best,
# raw counts with times snapped to the scan. STATIONS (HB04) and CENTRE (CC) say whose points; with NOISY=1
# every measurement is in motion, as from transducers without a deadband. RECORDING names a store of a day
# to take in place of a new recording, TMPDIR where files go.
#
# Needs bash, awk and Linux, prometheus and victoria-metrics, and the ports 24110 and 24111 (BASE).
set -euo pipefail
cd "$(dirname "$0")/.."
scan=${1:-1}
stations=${STATIONS:-HB04}
centre=${CENTRE:-CC}
base=${BASE:-24110}
lacks=()
for peer in prometheus victoria-metrics; do
    command -v "$peer" >/dev/null || lacks+=("$peer")
done
if [ ${#lacks[@]} -gt 0 ]; then
    echo "not installed: ${lacks[*]} (Debian and Ubuntu: apt-get install ${lacks[*]})" >&2
    exit 1
fi
cargo build --release --locked --quiet --bin gridwatch --example history
release=${CARGO_TARGET_DIR:-target}/release
history=$release/examples/history
folder=$(mktemp -d)
server=''
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$folder"' EXIT
results=$folder/results

recording=${RECORDING:-$folder/recording}
if [ -z "${RECORDING:-}" ]; then
    # The province as it is, but every class of points is read as often as is asked for here.
    cp -r config "$folder/province"
    province=$folder/province/hoa-binh.toml
    sed -i -E "s/^(fast|normal|slow|counters) = [0-9]+/\1 = $scan/" "$province"
    "$release/gridwatch" simulate "$province" --record "$recording" --from 2022-11-07 --days 1 --scan "$scan" |
        tail -n 1
fi
compared=("$recording" "$centre" "$stations")

note() { sed "s/^/$1./" >>"$results"; } # puts a name in front of each
written() { awk -F': ' '/^write_bytes/ { print "written_bytes", $2 }' "/proc/$1/io"; }
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

peer() { # name form
    local data=$folder/$1-$2 address
    mkdir "$data"
    if [ "$1" = prometheus ]; then
        address=127.0.0.1:$base
        echo >"$data/prometheus.yml"
        prometheus --config.file="$data/prometheus.yml" --storage.tsdb.path="$data/data" --web.listen-address="$address" \
            --web.enable-remote-write-receiver --web.enable-admin-api --storage.tsdb.retention.time=100y \
            --log.level=error &
    else
        address=127.0.0.1:$((base + 1))
        victoria-metrics -storageDataPath="$data/data" -httpListenAddr="$address" -retentionPeriod=100y \
            -loggerLevel=ERROR &
    fi
    server=$!
    "$history" feed "${compared[@]}" "$2" "$address" "$data/means" | note "$1.$2"
    # Whatever they do by themselves when nothing comes any more belongs to it.
    sleep 10
    echo "feed_cpu $(echo "$(ticks "$server") $(getconf CLK_TCK)" | awk '{ print $1 / $2 }')" | note "$1.$2"
    # Prometheus makes a copy below that nobody else needs; VictoriaMetrics still has most of it in memory.
    if [ "$1" = prometheus ]; then written "$server" | note "$1.$2"; fi
    awk '/^VmRSS/ { print "resident_kb", $2 }' "/proc/$server/status" | note "$1.$2"
    "$history" settle "$1" "$address" >"$data/settled"
    if [ "$1" != prometheus ]; then written "$server" | note "$1.$2"; fi
    if [ "$1" = prometheus ]; then
        files=("$data/data/snapshots/$(awk '{ print $2 }' "$data/settled")")
    else
        files=("$data/data/data" "$data/data/indexdb")
    fi
    du -scb "${files[@]}" | awk '/total$/ { print "disk_bytes", $1 }' | note "$1.$2"
    "$history" ask "$address" "$server" "$day_end" "$data/means" | note "$1.$2"
    kill "$server"
    wait "$server" || true
    server=''
    rm -rf "$data/data"
}

"$history" sizes "${compared[@]}" >"$folder/sizes"
day_end=$(awk '$1 == "day_end" { print $2 }' "$folder/sizes")
note recorded <"$folder/sizes"
# Once as a recording commits, so that what values cost is told apart, and once as a monitor does.
"$history" keep "${compared[@]}" "$folder/ours" 600 | note kept
"$history" sizes "$folder/ours" "$centre" "$stations" | note kept
"$history" keep "${compared[@]}" "$folder/each-second" 1 | note second
for form in true best; do
    for name in prometheus victoria-metrics; do peer "$name" "$form"; done
done
"$history" mean "$folder/ours" "$centre" "$stations" "$folder/prometheus-true/means" | note asked

dpkg-query -W -f '${Package} ${Version}\n' prometheus victoria-metrics 2>/dev/null || prometheus --version
awk '
    { v[$1] = $2 }
    function per(what, times) { return times * v[what] / samples }
    function cell(format, value) { return sprintf(" %12s", value == "" ? "" : sprintf(format, value)) }
    function row(name, format, ours, a, b, c, d) {
        printf "%-44s%s%s%s%s%s\n", name, cell(format, ours), cell(format, a), cell(format, b), cell(format, c), cell(format, d)
    }
    function peers(name, format, what, by, ours) {
        row(name, format, ours, v["prometheus.true." what] / by, v["prometheus.best." what] / by,
            v["victoria-metrics.true." what] / by, v["victoria-metrics.best." what] / by)
    }
    function ratio(name, ours, what, by) {
        row(name, "%.2f", "", ours / (v["prometheus.true." what] / by), ours / (v["prometheus.best." what] / by),
            ours / (v["victoria-metrics.true." what] / by), ours / (v["victoria-metrics.best." what] / by))
    }
    function target(name, is, wanted, format) {
        printf "%-64s " format "  wanted " format "  %s\n", name, is, wanted, is <= wanted ? "met" : "missed"
    }
    END {
        samples = v["kept.samples"]; M = samples / 1e6
        fed = v["prometheus.true.samples"]
        printf "%d points, %.2f M samples of a day (for the peers %.2f M that are numbers, %d fewer when snapped)\n",
            v["recorded.points"], M, fed / 1e6, v["prometheus.best.left_out"]
        printf "chunks as recorded %d of %d bytes, kept anew %d of %d bytes\n",
            v["recorded.chunks"], v["recorded.chunk_bytes"], v["kept.chunks"], v["kept.chunk_bytes"]
        printf "%-44s %12s %12s %12s %12s %12s\n", "", "gridwatch", "Prometheus", "at its best", "Victoria", "at its best"
        F = fed / 1e6
        disk = v["kept.table_bytes"] / samples
        peers("bytes a sample on disk", "%.3f", "disk_bytes", fed, disk)
        ratio("  gridwatch to it", disk, "disk_bytes", fed)
        kept = (v["kept.append_seal_cpu"] + v["kept.commit_cpu"]) / M
        peers("ingestion, CPU-s per million samples", "%.4f", "feed_cpu", F, kept)
        ratio("  gridwatch to it", kept, "feed_cpu", F)
        written = v["kept.written_bytes"] / samples
        peers("written to disk, bytes a sample", "%.2f", "written_bytes", fed, written)
        peers("resident at the end, MB", "%.1f", "resident_kb", 1024, v["kept.resident_kb"] / 1024)
        n = split("first_cpu median_cpu least_cpu median_wall", which, " ")
        for (w = 1; w <= n; w++) {
            label = which[w]; sub("_", " ", label); sub("cpu", "CPU", label)
            peers("mean over the day, " label ", ms", "%.1f", "query_" which[w], 0.001, 1000 * v["asked.decoding_" which[w]])
            row("  gridwatch from statistics", "%.1f", 1000 * v["asked.statistics_" which[w]])
            row("  gridwatch by the reader, point by point", "%.1f", 1000 * v["asked.reader_" which[w]])
        }
        printf "largest difference of means: reader %s, decoding %s, statistics %s; Prometheus %s, %s; VictoriaMetrics %s, %s\n",
            v["asked.reader_difference"], v["asked.decoding_difference"], v["asked.statistics_difference"],
            v["prometheus.true.query_difference"], v["prometheus.best.query_difference"],
            v["victoria-metrics.true.query_difference"], v["victoria-metrics.best.query_difference"]
        printf "ours: chunks alone %.3f bytes a sample; append and seal %.4f, commits %.4f CPU-s per million samples; with a commit each second %.2f bytes a sample written, %.0f a commit\n",
            v["kept.chunk_bytes"] / samples, v["kept.append_seal_cpu"] / M, v["kept.commit_cpu"] / M, v["second.written_bytes"] / samples, (v["second.written_bytes"] - v["kept.written_bytes"]) / 86400
        print ""
        target("disk to Prometheus, true times", disk / (v["prometheus.true.disk_bytes"] / fed), 0.15, "%.3f")
        target("disk to Prometheus at its best", disk / (v["prometheus.best.disk_bytes"] / fed), 0.45, "%.3f")
        target("disk to VictoriaMetrics, true times", disk / (v["victoria-metrics.true.disk_bytes"] / fed), 0.45, "%.3f")
        target("disk to VictoriaMetrics at its best", disk / (v["victoria-metrics.best.disk_bytes"] / fed), 0.75, "%.3f")
        target("values to sealed chunk, CPU-s per million samples", v["kept.append_seal_cpu"] / M, 0.05, "%.4f")
        target("written with a commit each second, bytes a sample", v["second.written_bytes"] / samples, 4.5, "%.2f")
        # Said for a day of 400 points each second; these are others.
        share = M / 34.56
        target("mean over a day from statistics, CPU ms", 1000 * v["asked.statistics_median_cpu"], 5 * share, "%.1f")
        target("mean over a day by decoding, CPU s", v["asked.decoding_median_cpu"], 0.2 * share, "%.3f")
    }' "$results"
