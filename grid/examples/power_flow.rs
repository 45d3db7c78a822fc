//! A bench that is told what to do line by line, so that a script can interleave it with others
//! (`benches/power_flow.sh`). Answers one line to each line, times in nanoseconds.
//!
//! ```text
//! load FILE         reads a case and prepares it: buses, branches, blocks of U, wall
//! flat HOLD N       N solves from a flat start, HOLD is true or false: wall, CPU, steps, factors
//! second HOLD N     N warm solves, every load moved by up to ±0.4 % between: the same
//! breaker N         N warm solves, a breaker opened or closed between: the same
//! write FILE        voltages (pu, radians) and net powers of the last solution
//! ```

#[path = "../tests/cases/reader.rs"]
mod reader;

use grid::{PowerFlow, SolverSettings};
use reader::Case;
use std::fmt::Write as _;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Instant;

struct Bench {
    case: Case,
    flow: PowerFlow,
    chance: u64,
}

/// What repetitions took.
struct Sample {
    wall: Vec<u128>,
    on_processor: u64,
    steps: u64,
    factors: u64,
}

fn main() {
    let mut bench: Option<Bench> = None;
    for line in stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match (&words[..], &mut bench) {
            (["load", file], _) => {
                let (loaded, answer) = load(file);
                bench = Some(loaded);
                answer
            }
            (["flat", hold, times], Some(bench)) => bench.flat(*hold == "true", number(times)),
            (["second", hold, times], Some(bench)) => bench.second(*hold == "true", number(times)),
            (["breaker", times], Some(bench)) => bench.breaker(number(times)),
            (["write", file], Some(bench)) => bench.write(file),
            _ => "?".to_owned(),
        };
        let mut out = stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("the script listens");
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number of repetitions")
}

fn load(file: &str) -> (Bench, String) {
    let case = reader::read(&std::fs::read_to_string(file).expect("a case file"));
    let before = Instant::now();
    let flow = PowerFlow::new(&case.network).expect("a sound network");
    let wall = before.elapsed().as_nanos();
    let (buses, branches) = (case.network.buses.len(), case.network.branches.len());
    (Bench { case, flow, chance: 1 }, format!("{buses} {branches} {wall}"))
}

/// Time that this thread had on a processor, from Linux.
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl Sample {
    fn begin() -> Self {
        Self { wall: Vec::new(), on_processor: cpu(), steps: 0, factors: 0 }
    }

    fn take(&mut self, flow: &mut PowerFlow, solve: impl FnOnce(&mut PowerFlow)) {
        let before = Instant::now();
        solve(flow);
        self.wall.push(before.elapsed().as_nanos());
        self.steps += u64::from(flow.solution().iterations);
        self.factors += u64::from(flow.solution().refactorisations);
    }

    fn answer(mut self) -> String {
        let times = self.wall.len().max(1) as u64;
        self.wall.sort_unstable();
        let wall = self.wall.get(self.wall.len() / 2).copied().unwrap_or(0);
        let cpu = (cpu() - self.on_processor) / times;
        let per = |count: u64| format!("{}.{:02}", count / times, count * 100 / times % 100);
        format!("{wall} {cpu} {} {}", per(self.steps), per(self.factors))
    }
}

impl Bench {
    fn flat(&mut self, hold: bool, times: usize) -> String {
        let settings = SolverSettings { hold, ..SolverSettings::default() };
        let mut sample = Sample::begin();
        for _ in 0..times {
            sample.take(&mut self.flow, |flow| {
                flow.solve_from_flat(&self.case.state, &settings).expect("a solution");
            });
        }
        sample.answer()
    }

    fn second(&mut self, hold: bool, times: usize) -> String {
        let settings = SolverSettings { hold, ..SolverSettings::default() };
        let mut sample = Sample::begin();
        let mut state = self.case.state.clone();
        for _ in 0..times {
            for (bus, given) in state.buses.iter_mut().zip(&self.case.state.buses) {
                let factor = 1.0 + 0.004 * next(&mut self.chance);
                bus.demand.p = given.demand.p * factor;
                bus.demand.q = given.demand.q * factor;
            }
            sample.take(&mut self.flow, |flow| {
                flow.solve(&state, &settings).expect("a solution");
            });
        }
        sample.answer()
    }

    fn breaker(&mut self, times: usize) -> String {
        let mut sample = Sample::begin();
        let mut state = self.case.state.clone();
        for at in 0..times {
            let branch = at / 2 * 7919 % state.branches.len();
            state.branches[branch].closed[0] = at % 2 == 1;
            sample.take(&mut self.flow, |flow| {
                // some breakers leave an island without a solution: that takes its time too
                let _ = flow.solve(&state, &SolverSettings::default());
            });
        }
        sample.answer()
    }

    fn write(&self, file: &str) -> String {
        let mut text = String::new();
        let solution = self.flow.solution();
        for ((v, angle), power) in solution.v.iter().zip(&solution.angle).zip(&solution.injected) {
            writeln!(text, "{v:?} {angle:?} {:?} {:?}", power.re, power.im).expect("memory");
        }
        std::fs::write(file, text).map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }
}

/// Chance from -1 to 1 (`SplitMix64`).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn next(chance: &mut u64) -> f64 {
    *chance = chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *chance;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}
