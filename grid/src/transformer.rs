//! Transformers from their nameplates: series and star impedances, magnetising, taps. No thermal
//! model, no zero sequence.

use crate::Complex;

/// What a nameplate says beside the short-circuit voltages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Windings {
    /// Rated power, MVA. All windings of a three-winding unit have the same (100/100/100).
    pub mva: f64,
    /// Load loss at rated current, kW; of the HM pair in a three-winding unit.
    pub load_loss_kw: f64,
    /// No-load (iron) loss at rated voltage, kW.
    pub no_load_loss_kw: f64,
    /// No-load current, percent of rated current.
    pub no_load_percent: f64,
}

/// Short-circuit voltages of the three pairs of windings, percent on the rated power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShortCircuitVoltages {
    /// High against medium; 10.5 is common for 115/38.5/23 kV.
    pub hm: f64,
    /// High against low; 17 to 17.5.
    pub hl: f64,
    /// Medium against low; 6 to 6.5.
    pub ml: f64,
}

/// A two-winding transformer per unit on the system base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transformer {
    /// Series impedance.
    pub z: Complex,
    /// Magnetising admittance, inductive: goes into [`Branch::charging`](crate::Branch::charging).
    pub magnetising: Complex,
}

/// A three-winding transformer as a star of three branches, per unit on the system base. One leg
/// is often slightly negative; that is right and does no harm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Star {
    /// Leg from the high-voltage bus to the star point.
    pub h: Complex,
    /// Leg from the star point to the medium-voltage bus.
    pub m: Complex,
    /// Leg from the star point to the low-voltage bus.
    pub l: Complex,
    /// Magnetising admittance, inductive: goes into the charging of the high-voltage leg.
    pub magnetising: Complex,
}

impl Windings {
    /// A two-winding unit with short-circuit voltage `uk` percent, on `base_mva`.
    pub fn two(&self, uk: f64, base_mva: f64) -> Transformer {
        let z = Complex::new(self.resistance(), self.reactance(uk)) * (base_mva / self.mva);
        Transformer { z, magnetising: self.magnetising(base_mva) }
    }

    /// A three-winding unit on `base_mva`. The load loss is shared evenly between the legs of the
    /// pair, as is usual where only one figure is given.
    pub fn three(&self, uk: ShortCircuitVoltages, base_mva: f64) -> Star {
        let [hm, hl, ml] = [uk.hm, uk.hl, uk.ml].map(|uk| self.reactance(uk));
        let scale = base_mva / self.mva;
        let leg = |x: f64| Complex::new(self.resistance() / 2.0, x / 2.0) * scale;
        Star {
            h: leg(hm + hl - ml),
            m: leg(hm + ml - hl),
            l: leg(hl + ml - hm),
            magnetising: self.magnetising(base_mva),
        }
    }

    /// Per unit on the rated power.
    fn resistance(&self) -> f64 {
        self.load_loss_kw / 1000.0 / self.mva
    }

    /// Per unit on the rated power; a load loss above `uk` leaves no reactance.
    fn reactance(&self, uk: f64) -> f64 {
        let uk = uk / 100.0;
        (uk * uk - self.resistance().powi(2)).max(0.0).sqrt()
    }

    fn magnetising(&self, base_mva: f64) -> Complex {
        let g = self.no_load_loss_kw / 1000.0 / base_mva;
        let y = self.no_load_percent / 100.0 * self.mva / base_mva;
        Complex::new(g, -(y * y - g * g).max(0.0).sqrt())
    }
}

/// A tap changer on the high-voltage side whose lower positions have more turns: position 1 gives
/// the lowest medium voltage. (The opposite convention exists too.)
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TapChanger {
    /// Number of positions, counted from 1.
    pub positions: u8,
    /// The position of the rated ratio.
    pub middle: u8,
    /// One step as a share of the rated voltage.
    pub step: f64,
}

impl TapChanger {
    /// ±9 × 1.78 % on the 115 kV winding: 19 positions, 10 in the middle.
    pub const STANDARD: Self = Self { positions: 19, middle: 10, step: 0.0178 };

    /// Turns of the high-voltage winding against rated: `1 + (10 - n) · 0.0178`. A position
    /// outside the range is taken as the nearest end.
    pub fn ratio(&self, position: u8) -> f64 {
        let position = position.clamp(1, self.positions.max(1));
        1.0 + (f64::from(self.middle) - f64::from(position)) * self.step
    }

    /// Off-nominal ratio for [`BranchState::ratio`](crate::BranchState::ratio): rated voltages of
    /// the windings (115/23 kV) over nominal voltages of the buses (110/22 kV), with the tap.
    pub fn off_nominal(&self, position: u8, rated_kv: [f64; 2], nominal_kv: [f64; 2]) -> f64 {
        self.ratio(position) * (rated_kv[0] / nominal_kv[0]) / (rated_kv[1] / nominal_kv[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn a_25_mva_star_is_as_by_hand() {
        let unit = Windings {
            mva: 25.0,
            load_loss_kw: 140.0,
            no_load_loss_kw: 30.0,
            no_load_percent: 0.5,
        };
        let star = unit.three(ShortCircuitVoltages { hm: 10.5, hl: 17.5, ml: 6.5 }, 100.0);
        // r of a pair 0.0056 on 25 MVA; x = √(uk² - r²): 0.104851, 0.174910, 0.064758
        // h = (x_hm + x_hl - x_ml) / 2, times 4 for 100 MVA
        assert!((star.h.im - 2.0 * (0.104_850_6 + 0.174_910_4 - 0.064_758_3)).abs() < 1e-6);
        assert!((star.m.im - 2.0 * (0.104_850_6 + 0.064_758_3 - 0.174_910_4)).abs() < 1e-6);
        assert!((star.l.im - 2.0 * (0.174_910_4 + 0.064_758_3 - 0.104_850_6)).abs() < 1e-6);
        assert!(star.m.im < 0.0);
        for leg in [star.h, star.m, star.l] {
            assert!(close(leg.re, 0.0112));
        }
        // the pairs give the nameplate back
        assert!(close((star.h + star.m).abs(), 0.105 * 4.0));
        assert!(close((star.h + star.l).abs(), 0.175 * 4.0));
        assert!(close((star.m + star.l).abs(), 0.065 * 4.0));
        // 0.5 % of 25 MVA are 125 kVA, of which 30 kW
        assert!(close(star.magnetising.re, 0.0003));
        assert!(close(star.magnetising.im, -(1.25e-3_f64.powi(2) - 0.0003_f64.powi(2)).sqrt()));
    }

    #[test]
    fn two_windings_keep_their_short_circuit_voltage() {
        let unit = Windings {
            mva: 40.0,
            load_loss_kw: 136.0,
            no_load_loss_kw: 18.0,
            no_load_percent: 0.05,
        };
        let transformer = unit.two(16.2, 100.0);
        assert!(close(transformer.z.abs(), 0.162 * 2.5));
        assert!(close(transformer.z.re, 0.0034 * 2.5));
        assert!(close(transformer.magnetising.abs(), 0.0005 * 0.4));
    }

    #[test]
    fn taps_step_by_1_78_percent_around_position_10() {
        let taps = TapChanger::STANDARD;
        assert!(close(taps.ratio(10), 1.0));
        assert!(close(taps.ratio(1), 1.1602));
        assert!(close(taps.ratio(19), 0.8398));
        assert!(close(taps.ratio(0), taps.ratio(1)));
        assert!(close(taps.ratio(99), taps.ratio(19)));
        assert!(close(taps.off_nominal(10, [115.0, 23.0], [110.0, 22.0]), 1.0));
    }
}
