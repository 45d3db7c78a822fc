//! Random networks and states from a seed: small, meshed, oddly switched, but solvable.

use grid::{Branch, BranchState, Bus, BusKind, BusState, Complex, Demand, Network, NetworkState};

/// `SplitMix64`.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits fit") % bound.max(1)
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// A tree with chords, doubled lines, couplers, shifted transformers and a lonely bus at times.
    pub(crate) fn network(&mut self) -> Network {
        let count = 2 + self.below(28);
        let tree = (1..count).map(|to| (self.below(to), to)).collect::<Vec<_>>();
        let chords = (0..self.below(count)).map(|_| (self.below(count), self.below(count)));
        let ends: Vec<_> = chords.collect::<Vec<_>>().into_iter().chain(tree).collect();
        let mut branches: Vec<Branch> = Vec::new();
        for (from, to) in ends.into_iter().filter(|(from, to)| from != to) {
            let mut branch = Branch {
                from,
                to,
                z: Complex::new(self.between(0.001, 0.02), self.between(0.01, 0.08)),
                charging: Complex::new(0.0, self.between(0.0, 0.04)),
                shift: 0.0,
            };
            match self.below(8) {
                0 => (branch.z, branch.charging) = (Complex::new(0.0, 3e-4), Complex::ZERO),
                1 => branch.charging = Complex::new(0.0005, -0.001),
                2 => branches.push(branch),
                _ => {}
            }
            branches.push(branch);
        }
        // a shift is only solvable where it closes no loop: in front of a bus of its own
        let buses = count + 1;
        let shift = if self.below(2) == 0 { -std::f64::consts::FRAC_PI_6 } else { 0.3 };
        let z = Complex::new(0.003, 0.12);
        let from = self.below(count);
        branches.push(Branch { from, to: count, z, charging: Complex::ZERO, shift });
        Network { base_mva: 100.0, buses: vec![Bus { kv: 110.0 }; buses], branches }
    }

    /// Light loads that follow the voltage or not, a few generators, some sources, open ends.
    pub(crate) fn state(&mut self, network: &Network) -> NetworkState {
        let mut state = NetworkState::of(network);
        for bus in &mut state.buses {
            *bus = self.bus();
        }
        for _ in 0..=self.below(3) {
            // not behind the shifted transformer: that would be a loop through the sources
            let at = self.below(state.buses.len() - 1);
            state.buses[at].kind = self.source();
        }
        for (state, branch) in state.branches.iter_mut().zip(&network.branches) {
            *state = self.branch(branch);
        }
        state
    }

    fn bus(&mut self) -> BusState {
        let exponents = [(0.0, 0.0), (1.0, 2.0), (1.2, 2.6), (2.0, 3.0)][self.below(4)];
        let demand = Demand {
            p: self.between(-0.02, 0.06),
            q: self.between(-0.01, 0.02),
            p_exponent: exponents.0,
            q_exponent: exponents.1,
        };
        let kind = match self.below(6) {
            0 => BusKind::Generator { p: self.between(0.0, 0.1), v: self.between(0.99, 1.02) },
            _ => BusKind::Load,
        };
        let shunt = match self.below(4) {
            0 => Complex::new(0.0, self.between(0.0, 0.05)),
            _ => Complex::ZERO,
        };
        BusState { kind, demand, shunt }
    }

    fn source(&mut self) -> BusKind {
        BusKind::Source { v: self.between(0.99, 1.03), angle: self.between(-0.05, 0.05) }
    }

    /// A coupler has no taps: a voltage inside that loop would drive thousands of megawatts.
    fn branch(&mut self, branch: &Branch) -> BranchState {
        let closed = match self.below(12) {
            0 => [true, false],
            1 => [false, true],
            2 => [false, false],
            _ => [true, true],
        };
        BranchState { closed, ratio: self.ratio(branch) }
    }

    fn ratio(&mut self, branch: &Branch) -> f64 {
        if branch.z.abs() < 0.01 { 1.0 } else { self.between(0.97, 1.03) }
    }

    /// What happens in a second: loads move; at times a breaker, a tap, a source or a kind.
    pub(crate) fn disturb(&mut self, network: &Network, state: &mut NetworkState) {
        for bus in &mut state.buses {
            bus.demand.p *= self.between(0.98, 1.02);
        }
        let (bus, branch) = (self.below(state.buses.len() - 1), self.below(state.branches.len()));
        match self.below(6) {
            0 => state.branches[branch] = self.branch(&network.branches[branch]),
            1 => state.branches[branch].ratio = self.ratio(&network.branches[branch]),
            2 => state.buses[bus] = self.bus(),
            3 => state.buses[bus].kind = self.source(),
            _ => {}
        }
    }

    /// A number that nobody can compute with, somewhere.
    pub(crate) fn spoil(&mut self, state: &mut NetworkState) {
        let bad = [f64::NAN, f64::INFINITY, -1e300, 1e-300, 0.0, 1e8, -3.0][self.below(7)];
        let bus = self.below(state.buses.len());
        let branch = self.below(state.branches.len());
        let bus = &mut state.buses[bus];
        match self.below(9) {
            0 => bus.demand.p = bad,
            1 => bus.demand.q_exponent = bad,
            2 => bus.shunt.im = bad,
            3 => bus.shunt.re = bad,
            4 => bus.kind = BusKind::Source { v: bad, angle: 0.0 },
            5 => bus.kind = BusKind::Source { v: 1.0, angle: bad },
            6 => bus.kind = BusKind::Generator { p: bad, v: 1.0 },
            7 => bus.kind = BusKind::Generator { p: 0.0, v: bad },
            _ => state.branches[branch].ratio = bad,
        }
    }
}
