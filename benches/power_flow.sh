#!/usr/bin/env bash
# The power flow against lightsim2grid (KLU), power-grid-model and pandapower on the same cases, in
# one run. Prints the figures that stand in docs/measurements.md.
#
#   benches/power_flow.sh                        everything, about ten minutes
#   benches/power_flow.sh --only 118 --scale 3   one case, three times the usual repetitions
#
# Needs Python 3.11 with venv, and PyPI at the first run. FOLDER holds the virtualenv and the cases.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${FOLDER:-${TMPDIR:-/tmp}/gridwatch-power-flow}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$folder"
if [ ! -e "$folder/venv/ready" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet lightsim2grid==1.2.0 power-grid-model==1.12.110 \
        pandapower==3.5.6 numba==0.68.1 numpy==2.4.6 scipy==1.17.1
    touch "$folder/venv/ready"
fi
cargo build --release --locked --quiet -p gridwatch-grid --example power_flow
exec "$folder/venv/bin/python" benches/power_flow.py "$folder/cases" "$@"
