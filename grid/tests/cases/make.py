"""Makes the IEEE cases of this folder: networks and solutions as pandapower has them internally.

    python -m venv /tmp/venv && /tmp/venv/bin/pip install pandapower==3.5.6 numba==0.68.1
    /tmp/venv/bin/python grid/tests/cases/make.py

Written with pandapower 3.5.6, numpy 2.4.6, Python 3.11. The cases are those that pandapower ships
(BSD-3), taken from its internal per-unit data after its own Newton to 1e-8 MVA from a flat start,
so they test the solver and not a converter of element tables. Format: see reader.rs.
"""

import pathlib
import sys

import numpy as np
import pandapower as pp
import pandapower.networks as pn


def solved(net):
    """pandapower's internal matrices of a solved network."""
    pp.runpp(net, init="flat", tolerance_mva=1e-8, numba=True, lightsim2grid=False,
             calculate_voltage_angles=True, max_iteration=30)
    return net._ppc["internal"]


def write(path, internal, base, solution=True):
    """Writes bus, generator and branch matrices, per unit, and the solution as V and degrees."""
    bus, gen, branch = internal["bus"], internal["gen"], internal["branch"]
    ref, pv = set(internal["ref"]), set(internal["pv"])
    p, v = np.zeros(len(bus)), np.ones(len(bus))
    for row in gen:
        p[int(row[0])] += row[1] / base
        v[int(row[0])] = row[5]
    lines = [f"base {base!r}"]
    for i, row in enumerate(bus):
        kind = "source" if i in ref else "generator" if i in pv else "load"
        angle = float(np.angle(internal["V"][i])) if i in ref else 0.0
        numbers = [row[9], v[i], angle, p[i], row[2] / base, row[3] / base, row[4] / base, row[5] / base]
        if solution:
            numbers += [abs(internal["V"][i]), np.degrees(np.angle(internal["V"][i]))]
        lines.append(f"bus {kind} " + " ".join(repr(float(x)) for x in numbers))
    for row in np.real(branch):
        assert row[10] == 1 and not row[[21, 22, 24, 25]].any()
        ratio = row[8] or 1.0
        numbers = [row[2], row[3], row[23], row[4], ratio, np.radians(row[9])]
        lines.append(f"branch {int(row[0])} {int(row[1])} " + " ".join(repr(float(x)) for x in numbers))
    pathlib.Path(path).write_text("\n".join(lines) + "\n")


def main():
    here = pathlib.Path(__file__).parent
    for name, make in {"ieee14": pn.case14, "ieee30": pn.case_ieee30, "ieee57": pn.case57,
                       "ieee118": pn.case118, "ieee300": pn.case300}.items():
        net = make()
        write(here / f"{name}.txt", solved(net), float(net.sn_mva))
        print(name, len(net.bus), file=sys.stderr)


if __name__ == "__main__":
    main()
