"""Compares the power flow with its peers on the same cases, in one run. See power_flow.sh.

Every solver gets the same admittance matrix, powers and flat start, and must reach the same
tolerance; each answer is checked against ours. Repetitions are interleaved: one of each, in turn.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")

import numpy as np
import pandapower
import pandapower.networks as pn
import power_grid_model as pgm
import scipy.sparse as sp
from lightsim2grid import algorithm
from pandapower.pypower.newtonpf import newtonpf

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "grid/tests/cases"))
import make  # noqa: E402

TOLERANCE = 1e-8
SOURCE, GENERATOR, LOAD = "source", "generator", "load"


# ---------------------------------------------------------------- our side


class Ours:
    """The example program, told what to do line by line."""

    def __init__(self):
        program = ROOT / "target/release/examples/power_flow"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().split()

    def voltages(self, file):
        self.ask("write", file)
        v, angle, p, q = np.loadtxt(file, ndmin=2).T
        return v * np.exp(1j * angle), p + 1j * q


# ---------------------------------------------------------------- cases


class Case:
    """A case file as matrices."""

    def __init__(self, file):
        self.file = file
        kinds, buses, branches = [], [], []
        for line in pathlib.Path(file).read_text().splitlines():
            first, *rest = line.split()
            if first == "bus":
                kinds.append(rest[0])
                buses.append([float(x) for x in rest[1:9]])
            elif first == "branch":
                branches.append([float(x) for x in rest])
        self.bus, self.branch, kinds = np.array(buses), np.array(branches), np.array(kinds)
        self.ref, self.pv, self.pq = (np.flatnonzero(kinds == kind).astype(np.int32)
                                      for kind in (SOURCE, GENERATOR, LOAD))
        _, v, angle, p, pd, qd, gs, bs = self.bus.T
        self.power = p - pd - 1j * qd
        start = np.full(len(v), angle[self.ref[0]])
        start[self.ref] = angle[self.ref]
        self.start = np.where(kinds == LOAD, 1.0, v) * np.exp(1j * start)
        f, t = self.branch[:, 0].astype(int), self.branch[:, 1].astype(int)
        r, x, g, b, ratio, shift = self.branch[:, 2:].T
        series, half, tap = 1 / (r + 1j * x), (g + 1j * b) / 2, ratio * np.exp(1j * shift)
        n = len(v)
        rows = np.r_[f, f, t, t, np.arange(n)]
        columns = np.r_[f, t, f, t, np.arange(n)]
        values = np.r_[(series + half) / ratio**2, -series / tap.conj(), -series / tap, series + half, gs + 1j * bs]
        self.y = sp.csc_matrix((values, (rows, columns)), shape=(n, n))
        self.y.sum_duplicates()


def shipped(name, folder):
    file = folder / f"{name}.txt"
    net = getattr(pn, name)()
    make.write(file, make.solved(net), float(net.sn_mva))
    return file


def generated(substations, folder, ours):
    """A 110 kV country: regions of 12 substations behind a 220 kV node each, on a mesh of 220 kV.

    A substation has one 110 kV bus or two with a closed coupler, and two transformers: three
    windings as stars (110/35/22, 60 %) or two (110/22, with a closed 22 kV coupler). The 110 kV
    lines of a region make two loops; half of the regions are tied to a neighbour at 110 kV.
    Generation is balanced by region: solved once with a source in every region, then kept at
    that power with one source in the middle.
    """
    rng = np.random.default_rng(substations)
    regions = -(-substations // 12)
    side = int(np.ceil(np.sqrt(regions)))
    buses, branches, yard, hub = [], [], [], []
    base = 100.0

    def bus(kv, p=0.0, q=0.0, b=0.0):
        buses.append([float(x) for x in (kv, p, q, b)])
        return len(buses) - 1

    def branch(a, b, r, x, charging=0.0, ratio=1.0):
        branches.append([a, b, r, x, 0.0, charging, ratio, 0.0])

    def line(a, b, kv, km, r, x, micro):
        ohms = kv * kv / base
        branch(a, b, r * km / ohms, x * km / ohms, micro * 1e-6 * km * ohms)

    def line110(a, b):
        r, x, micro = ((0.1571, 0.40, 2.76), (0.1188, 0.39, 2.83), (0.075, 0.38, 2.9))[rng.integers(3)]
        line(a, b, 110.0, rng.uniform(5, 30), r, x, micro)

    def substation():
        first = last = bus(110.0)
        if rng.random() < 0.5:
            last = bus(110.0)
            branch(first, last, 0.0, 3e-4)
        mva = rng.choice([25.0, 40.0, 63.0])
        p = rng.uniform(0.25, 0.5) * 2 * mva / base
        q = p * rng.uniform(0.2, 0.4)
        ratio = 1.0 - 0.0178 * rng.integers(0, 3)
        scale = base / mva
        if rng.random() < 0.6:
            low, medium = bus(22.0, 0.6 * p, 0.6 * q, 0.3 * q), bus(35.0, 0.4 * p, 0.4 * q)
            for at in (first, last):
                star = bus(110.0)
                branch(at, star, 0.0025 * scale, 0.1075 * scale, -0.001, ratio)
                branch(star, medium, 0.0025 * scale, -0.0025 * scale)
                branch(star, low, 0.0025 * scale, 0.0675 * scale)
        else:
            sections = [bus(22.0, p / 2, q / 2, 0.15 * q) for _ in range(2)]
            branch(*sections, 0.0, 3e-4)
            for at, section in zip((first, last), sections):
                branch(at, section, 0.0035 * scale, 0.12 * scale, -0.001, ratio)
        return first, last

    for region in range(regions):
        yard.append(bus(220.0))
        hub.append(bus(110.0))
        for _ in range(2):
            branch(yard[-1], hub[-1], 0.003 * base / 250, 0.12 * base / 250, 0.0, 0.98)
        count = min(12, substations - 12 * region)
        for loop in (range(count // 2), range(count - count // 2)):
            here = hub[-1]
            for _ in loop:
                first, last = substation()
                line110(here, first)
                here = last
            line110(here, hub[-1])
        for other in [region - 1] * (region % side > 0) + [region - side] * (region >= side):
            for _ in range(1 + (rng.random() < 0.3)):
                line(yard[other], yard[region], 220.0, rng.uniform(30, 80), 0.075, 0.42, 2.7)
            if rng.random() < 0.25:
                line110(hub[other], hub[region])

    def write(file, kinds, power):
        lines = [f"base {base}"]
        for at, (kv, p, q, b) in enumerate(buses):
            v = 1.04 if kinds[at] != LOAD else 1.0
            lines.append(f"bus {kinds[at]} {kv} {v} 0.0 {power[at]!r} {p!r} {q!r} 0.0 {b!r}")
        for f, t, *numbers in branches:
            lines.append(f"branch {f} {t} " + " ".join(repr(float(x)) for x in numbers))
        file.write_text("\n".join(lines) + "\n")

    many, one = folder / f"grid{substations}-sources.txt", folder / f"grid{substations}.txt"
    is_yard = set(yard)
    write(many, [SOURCE if at in is_yard else LOAD for at in range(len(buses))], [0.0] * len(buses))
    ours.ask("load", many)
    ours.ask("flat", "true", 1)
    power = [float(x) for x in ours.voltages(folder / "balance.txt")[1].real]
    slack = yard[min(regions - 1, side // 2 * side + side // 2)]
    kinds = [SOURCE if at == slack else GENERATOR if at in is_yard else LOAD for at in range(len(buses))]
    write(one, kinds, [power[at] if kinds[at] == GENERATOR else 0.0 for at in range(len(buses))])
    return one, many


# ---------------------------------------------------------------- peers


def lightsim2grid(case, policy, every):
    """From Python it analyses the matrix in every call. What its own clocks say that this took, and
    what its first factoring took above a repeated one, is taken off in a second figure: ours does
    these once for a network."""
    solver = algorithm.NRSing_KLU()
    solver.set_refactor_policy(policy)
    if every:
        solver.set_refactor_every_n(every)
    weights = np.zeros(len(case.start))
    weights[case.ref] = 1.0 / len(case.ref)
    y, power, ref, pv, pq = case.y.copy(), case.power.copy(), case.ref, case.pv, case.pq

    def solve():
        start, once = case.start.copy(), solver.get_linear_solver_stats()
        factors, refactors = once.nb_factorize, once.nb_refactorize
        before, cpu = time.perf_counter_ns(), time.thread_time_ns()
        done = solver.compute_pf(y, start, power, ref, weights, pv, pq, 30, TOLERANCE)
        after, cpu = time.perf_counter_ns() - before, time.thread_time_ns() - cpu
        now = solver.get_linear_solver_stats()  # its counts go on, its clocks start anew each time
        refactor = now.timer_refactor / max(1, now.nb_refactorize - refactors)
        first = max(0.0, now.timer_factor - refactor * (now.nb_factorize - factors))
        extra = 1e9 * (now.timer_initialize + first)
        return after, cpu, solver.get_V() if done else None, solver.get_nb_iter(), extra

    return solve


def pandapowers(case):
    """Its own Newton with numba on its own kind of matrices, without its element tables."""
    net = pn.case14()
    pandapower.runpp(net, numba=True, lightsim2grid=False)
    inside = {**net._ppc, **net._ppc["internal"]}
    n = len(case.start)
    inside["bus"], inside["baseMVA"] = np.zeros((n, inside["bus"].shape[1])), 100.0
    options = dict(net._options, tolerance_mva=TOLERANCE, max_iteration=30, numba=True, algorithm="nr",
                   voltage_depend_loads=False, distributed_slack=False, v_debug=False,
                   use_umfpack=True, permc_spec=None, tdpf=False)
    y = case.y.tocsr()

    def solve():
        before, cpu = time.perf_counter_ns(), time.thread_time_ns()
        found = newtonpf(y, case.power, case.start.copy(), case.ref, case.pv, case.pq, inside, options)
        after = time.perf_counter_ns() - before, time.thread_time_ns() - cpu
        return *after, found[0] if found[1] else None, found[2], 0.0

    return solve


def power_grid_models(case):
    """Its own per-unit base is left alone: generic branches in ohms, powers in watts."""
    n = len(case.bus)
    kv, v, angle, _, pd, qd, gs, bs = case.bus.T
    base = 100e6
    node = pgm.initialize_array("input", "node", n)
    node["id"], node["u_rated"] = np.arange(n), kv * 1e3
    f, t = case.branch[:, 0].astype(int), case.branch[:, 1].astype(int)
    r, x, g, b, ratio, shift = case.branch[:, 2:].T
    m = len(f)
    branch = pgm.initialize_array("input", "generic_branch", m)
    ohms = (kv[t] * 1e3) ** 2 / base
    branch["id"], branch["from_node"], branch["to_node"] = n + np.arange(m), f, t
    branch["from_status"] = branch["to_status"] = 1
    branch["r1"], branch["x1"], branch["g1"], branch["b1"] = r * ohms, x * ohms, g / ohms, b / ohms
    branch["k"], branch["theta"], branch["sn"] = ratio, shift, base
    load = pgm.initialize_array("input", "sym_load", n)
    load["id"], load["node"], load["status"], load["type"] = n + m + np.arange(n), np.arange(n), 1, 0
    load["p_specified"], load["q_specified"] = -case.power.real * base, -case.power.imag * base
    shunt = pgm.initialize_array("input", "shunt", n)
    shunt["id"], shunt["node"], shunt["status"] = 2 * n + m + np.arange(n), np.arange(n), 1
    shunt["g1"], shunt["b1"] = gs * base / (kv * 1e3) ** 2, bs * base / (kv * 1e3) ** 2
    shunt["g0"] = shunt["b0"] = 0
    source = pgm.initialize_array("input", "source", len(case.ref))
    source["id"], source["node"], source["status"] = 3 * n + m + np.arange(len(case.ref)), case.ref, 1
    source["u_ref"], source["u_ref_angle"], source["sk"] = v[case.ref], angle[case.ref], 1e20
    model = pgm.PowerGridModel({"node": node, "generic_branch": branch, "sym_load": load,
                                "shunt": shunt, "source": source})

    def solve(method=pgm.CalculationMethod.newton_raphson):
        before, cpu = time.perf_counter_ns(), time.thread_time_ns()
        try:
            out = model.calculate_power_flow(error_tolerance=TOLERANCE, max_iterations=100, threading=-1,
                                             calculation_method=method, output_component_types={"node"})
        except Exception:  # it says so itself when it does not converge
            return time.perf_counter_ns() - before, time.thread_time_ns() - cpu, None, 0, 0.0
        after = time.perf_counter_ns() - before, time.thread_time_ns() - cpu
        found = out["node"]
        return *after, found["u_pu"] * np.exp(1j * found["u_angle"]), 0, 0.0

    return solve


# ---------------------------------------------------------------- the comparison


def peers_of(case, with_pgm):
    always, every = algorithm.RefactorPolicyType.AlwaysRefactor, algorithm.RefactorPolicyType.EveryN
    peers = {
        "lightsim2grid KLU": lightsim2grid(case, always, 0),
        "lightsim2grid KLU, factors every 2": lightsim2grid(case, every, 2),
        "pandapower": pandapowers(case),
    }
    if with_pgm:
        newton = power_grid_models(case)
        peers["power-grid-model Newton"] = newton
        peers["power-grid-model current"] = lambda: newton(pgm.CalculationMethod.iterative_current)
    return peers


def compare(ours, name, file, folder, repetitions, with_pgm):
    """Repetitions in turn; a small case is solved 20 times in each, so that caches are warm for all."""
    case = Case(file)
    buses, branches, prepared = ours.ask("load", file)
    inner = 20 if len(case.start) < 1000 else 3 if len(case.start) < 20000 else 1
    wall, cpu, answers = {}, {}, {}
    peers = peers_of(case, with_pgm)
    for label in list(peers):  # the analysis of the matrix and compilation go by uncounted
        _, _, v, steps, _ = peers[label]()
        ours.ask("flat", "true", 1)
        off = np.inf if v is None else abs(v - ours.voltages(folder / "v.txt")[0]).max()
        answers[label] = (f"{steps} steps, " if steps else "") + f"differs {off:.0e} pu"
        if off > 1e-6:
            answers[label] = "no solution" if v is None else f"wrong: differs {off:.0e} pu"
            del peers[label]
    for _ in range(repetitions):
        for label, hold in (("gridwatch", "true"), ("gridwatch, full Newton", "false")):
            w, _, steps, factors = ours.ask("flat", hold, inner)
            wall.setdefault(label, []).append(int(w))
            answers[label] = f"{float(steps):.0f} steps, {float(factors):.0f} factorings"
        for label, peer in peers.items():
            times = [peer() for _ in range(inner)]
            wall.setdefault(label, []).append(statistics.median(time[0] for time in times))
            cpu.setdefault(label, []).extend(time[1] for time in times)
            if any(time[4] for time in times):
                less = f"{label}, less its analysis"
                wall.setdefault(less, []).append(statistics.median(time[0] - time[4] for time in times))
                cpu.setdefault(less, []).extend(time[1] - time[4] for time in times)
                answers[less] = "so compares with ours"
    many = max(5, 400_000_000 // int(statistics.median(wall["gridwatch"])))  # the kernel's clock is coarse
    for label, hold in (("gridwatch", "true"), ("gridwatch, full Newton", "false")):
        cpu[label] = [int(ours.ask("flat", hold, many)[1])]
    print(f"\n### {name}: {buses} buses, {branches} branches, prepared once in {int(prepared) / 1e6:.2f} ms\n")
    print("| | median ms | least ms | CPU ms | times ours | |\n|---|---|---|---|---|---|")
    mine = statistics.median(wall["gridwatch"])
    order = sorted(answers, key=lambda label: (not label.startswith("gridwatch"), not label.startswith("lightsim"), label))
    for label in order:
        if label not in wall:
            print(f"| {label} | | | | | {answers[label]} |")
            continue
        median = statistics.median(wall[label])
        print(f"| {label} | {median / 1e6:.3f} | {min(wall[label]) / 1e6:.3f} |"
              f" {statistics.median(cpu[label]) / 1e6:.3f} | {median / mine:.2f} | {answers[label]} |")
    for label, words in (("one second, warm, held factors", ("second", "true")),
                         ("one second, warm, full Newton", ("second", "false")), ("a breaker moves", ("breaker",))):
        w, c, steps, factors = ours.ask(*words, max(9, many // 4))
        print(f"| {label} | {int(w) / 1e6:.3f} | | {int(c) / 1e6:.3f} | {int(w) / mine:.2f} |"
              f" {steps} steps, {factors} factorings |")
    sys.stdout.flush()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--scale", type=float, default=1.0, help="how many repetitions, times the usual")
    given = arguments.parse_args()
    folder, ours = given.folder, Ours()
    folder.mkdir(exist_ok=True)
    cases = [("IEEE 118", lambda: [shipped("case118", folder)], 40),
             ("PEGASE 2869", lambda: [shipped("case2869pegase", folder)], 25),
             ("PEGASE 9241", lambda: [shipped("case9241pegase", folder)], 15),
             ("12 substations", lambda: generated(12, folder, ours), 40),
             ("1 000 substations", lambda: generated(1000, folder, ours), 20),
             ("8 800 substations", lambda: generated(8800, folder, ours), 11)]
    names = ("lightsim2grid", "power-grid-model", "pandapower", "numba", "numpy", "scipy")
    print(", ".join(f"{name} {version(name)}" for name in names))
    for name, make_case, repetitions in cases:
        if given.only in name:
            for file in make_case():
                is_many = file.name.endswith("-sources.txt")
                compare(ours, name + (", sources as slacks" if is_many else ""), file, folder,
                        max(3, int(repetitions * given.scale)), is_many)


if __name__ == "__main__":
    main()
