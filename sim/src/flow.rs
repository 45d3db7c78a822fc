//! How power shares itself out over the 110 kV lines.
//!
//! This keeps the place of the AC power flow. It is the linear rule that the power flow is in first
//! order: power divides by reactance, so both ends of a line agree, what enters a station leaves
//! it, and an open line carries nothing. Losses are added to the ends afterwards.

use config::{Line, LineEnd, Province};

/// Resistance and reactance of conductors, ohm/km (public European standard types; AC-400 from
/// handbooks), charging in microsiemens/km.
const CONDUCTORS: [(&str, f64, f64, f64); 5] = [
    ("AC-150", 0.1940, 0.41, 2.75),
    ("AC-185", 0.1571, 0.40, 2.76),
    ("AC-240", 0.1188, 0.39, 2.83),
    ("AC-300", 0.0949, 0.38, 2.89),
    ("AC-400", 0.0750, 0.38, 2.90),
];

/// Voltage at which sources hold the grid, kV.
const SOURCE_KV: f64 = 117.0;

/// The 110 kV grid, prepared for its topology.
pub(crate) struct Grid {
    lines: Vec<Branch>,
    /// Response of every station's potential to power drawn at every station, ohm; row by row.
    /// Rows of zeros belong to stations without a path to a source.
    response: Vec<Vec<f64>>,
    alive: Vec<bool>,
}

struct Branch {
    from: Option<usize>,
    to: Option<usize>,
    in_service: bool,
    r: f64,
    x: f64,
    charging_us: f64,
}

/// Power into a line at its two ends, MW and `MVAr`, out of the station counted positive.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct LineFlow {
    pub(crate) from: (f64, f64),
    pub(crate) to: (f64, f64),
}

/// State of the grid.
pub(crate) struct Flows {
    /// One for each line of the contract.
    pub(crate) lines: Vec<LineFlow>,
    /// Bus voltage of each station, kV; 0 when it has no path to a source.
    pub(crate) kv: Vec<f64>,
}

impl Grid {
    /// A grid in which line `n` is in service when `in_service(n)` says so.
    pub(crate) fn new(province: &Province, in_service: impl Fn(&Line) -> bool) -> Self {
        let lines: Vec<Branch> = province
            .lines
            .iter()
            .map(|line| {
                let known = CONDUCTORS.iter().find(|(name, ..)| *name == line.conductor);
                let (_, r, x, b) = known.copied().unwrap_or(CONDUCTORS[1]);
                let station = |end: LineEnd| match end {
                    LineEnd::Bay(station, _) => Some(station.index()),
                    LineEnd::Source(_) => None,
                };
                Branch {
                    from: station(line.from),
                    to: station(line.to),
                    in_service: in_service(line),
                    r: r * line.km,
                    x: x * line.km,
                    charging_us: b * line.km,
                }
            })
            .collect();
        let count = province.stations.len();
        let alive = reachable(&lines, count);
        let response = invert(&lines, &alive);
        Self { lines, response, alive }
    }

    /// Flows when each station draws `demand` (MW, `MVAr`).
    pub(crate) fn share_out(&self, demand: &[(f64, f64)]) -> Flows {
        // Potentials fall below the sources' by reactance × power, in kV².
        let potential = |part: fn(&(f64, f64)) -> f64| -> Vec<f64> {
            let rows = self.response.iter();
            rows.map(|row| row.iter().zip(demand).map(|(a, d)| a * part(d)).sum()).collect()
        };
        let (p, q) = (potential(|d| d.0), potential(|d| d.1));
        let kv: Vec<f64> =
            (0..demand.len())
                .map(|n| {
                    if self.alive[n] { SOURCE_KV - (q[n] + R_TO_X * p[n]) / SOURCE_KV } else { 0.0 }
                })
                .collect();
        let lines = self.lines.iter().map(|line| line.flow(&p, &q, &self.alive)).collect();
        Flows { lines, kv }
    }

    /// Whether a station has a path to a source.
    pub(crate) fn is_alive(&self, station: usize) -> bool {
        self.alive[station]
    }
}

/// Resistance over reactance of the usual conductors.
const R_TO_X: f64 = 0.37;

impl Branch {
    fn flow(&self, p: &[f64], q: &[f64], alive: &[bool]) -> LineFlow {
        let dead = |end: Option<usize>| end.is_some_and(|station| !alive[station]);
        if !self.in_service || dead(self.from) || dead(self.to) {
            return LineFlow::default();
        }
        let at = |end: Option<usize>, potential: &[f64]| end.map_or(0.0, |n| potential[n]);
        // The end nearer to a source has the smaller fall.
        let through = |potential| (at(self.to, potential) - at(self.from, potential)) / self.x;
        let (p, q) = (through(p), through(q));
        let kv2 = SOURCE_KV * SOURCE_KV;
        let current2 = (p * p + q * q) / kv2;
        let (loss_p, loss_q) = (self.r * current2, self.x * current2);
        let charging = self.charging_us * 1e-6 * kv2;
        let half_q = (loss_q - charging) / 2.0;
        LineFlow { from: (p + loss_p / 2.0, q + half_q), to: (-p + loss_p / 2.0, -q + half_q) }
    }
}

/// Stations with a path of lines in service to a source. A station where no line ends at all is
/// fed by something that the contract does not describe.
fn reachable(lines: &[Branch], count: usize) -> Vec<bool> {
    let ends_at = |station| lines.iter().any(|l| [l.from, l.to].contains(&Some(station)));
    let mut alive: Vec<bool> = (0..count).map(|station| !ends_at(station)).collect();
    let mut grew = true;
    while grew {
        grew = false;
        for line in lines.iter().filter(|line| line.in_service) {
            let live = |end: Option<usize>| end.is_none_or(|station| alive[station]);
            if live(line.from) != live(line.to) {
                for station in [line.from, line.to].into_iter().flatten() {
                    alive[station] = true;
                }
                grew = true;
            }
        }
    }
    alive
}

/// Inverse of the susceptance matrix of the stations with a path to a source (sources are at
/// potential 0), by Gauss–Jordan. The matrix is symmetric and diagonally dominant, so no pivoting
/// is needed.
fn invert(lines: &[Branch], alive: &[bool]) -> Vec<Vec<f64>> {
    let count = alive.len();
    let mut matrix = vec![vec![0.0; count]; count];
    for line in lines.iter().filter(|line| line.in_service) {
        let b = 1.0 / line.x;
        for (here, there) in [(line.from, line.to), (line.to, line.from)] {
            let Some(here) = here.filter(|n| alive[*n]) else { continue };
            matrix[here][here] += b;
            if let Some(there) = there {
                matrix[here][there] -= b;
            }
        }
    }
    let connected: Vec<usize> = (0..count).filter(|n| alive[*n] && matrix[*n][*n] > 0.0).collect();
    let mut inverse = vec![vec![0.0; count]; count];
    for n in &connected {
        inverse[*n][*n] = 1.0;
    }
    for pivot in connected {
        let scale = 1.0 / matrix[pivot][pivot];
        for x in matrix[pivot].iter_mut().chain(&mut inverse[pivot]) {
            *x *= scale;
        }
        let (pivot_row, pivot_inverse) = (matrix[pivot].clone(), inverse[pivot].clone());
        for row in (0..count).filter(|row| *row != pivot) {
            let factor = matrix[row][pivot];
            if factor != 0.0 {
                for (x, y) in matrix[row].iter_mut().zip(&pivot_row) {
                    *x -= factor * y;
                }
                for (x, y) in inverse[row].iter_mut().zip(&pivot_inverse) {
                    *x -= factor * y;
                }
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows(province: &Province, demand: &[(f64, f64)]) -> Flows {
        Grid::new(province, |line| line.open_at.is_none()).share_out(demand)
    }

    #[test]
    fn what_enters_a_station_leaves_it_and_losses_are_small() {
        let province = Province::built_in();
        let demand: Vec<(f64, f64)> =
            province.stations.iter().map(|s| (s.peak_mw, 0.4 * s.peak_mw)).collect();
        let flows = flows(&province, &demand);
        for (n, drawn) in demand.iter().enumerate() {
            let mut sum = drawn.0;
            for (line, flow) in province.lines.iter().zip(&flows.lines) {
                for (end, power) in [(line.from, flow.from), (line.to, flow.to)] {
                    if matches!(end, LineEnd::Bay(station, _) if station.index() == n) {
                        sum += power.0;
                    }
                }
            }
            assert!(sum.abs() < 0.02 * 230.0, "station {n} is off balance by {sum} MW");
            assert!((105.0..118.0).contains(&flows.kv[n]), "{} kV", flows.kv[n]);
        }
        for (line, flow) in province.lines.iter().zip(&flows.lines) {
            let loss = flow.from.0 + flow.to.0;
            assert!((0.0..3.0).contains(&loss), "{:?}: {loss} MW", line.to);
            assert_eq!(line.open_at.is_some(), *flow == LineFlow::default());
        }
    }

    #[test]
    fn a_station_where_no_line_ends_is_fed_by_something_else() {
        let mut province = Province::built_in();
        province.lines.clear();
        let demand = vec![(10.0, 4.0); province.stations.len()];
        let flows = flows(&province, &demand);
        assert!(flows.kv.iter().all(|kv| (*kv - SOURCE_KV).abs() < 1e-9));
    }

    #[test]
    fn a_station_without_a_path_to_a_source_is_dead() {
        let province = Province::built_in();
        let demand = vec![(10.0, 4.0); province.stations.len()];
        let radial = province.station("HB10").unwrap();
        let cut = |line: &Line| {
            let ends_here = |end: LineEnd| matches!(end, LineEnd::Bay(s, _) if s == radial);
            line.open_at.is_none() && !ends_here(line.from) && !ends_here(line.to)
        };
        let grid = Grid::new(&province, cut);
        assert!(!grid.is_alive(radial.index()));
        assert_eq!(grid.share_out(&demand).kv[radial.index()].to_bits(), 0);
    }
}
