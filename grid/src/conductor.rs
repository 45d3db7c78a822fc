//! Overhead line conductors of 110 kV practice, from kilometres to per unit. No towers, no sag.

use crate::Complex;

/// Positive-sequence data of a conductor on 110 kV towers at 50 Hz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conductor {
    /// Name of the trade: AC and the aluminium section in mm².
    pub name: &'static str,
    /// Resistance at 20 °C, Ω/km.
    pub r: f64,
    /// Reactance, Ω/km.
    pub x: f64,
    /// Capacitance, nF/km.
    pub c: f64,
    /// Permissible current, A.
    pub current_max: f64,
}

/// A line as a π-equivalent, per unit on the base power and the nominal voltage of its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineData {
    /// Series impedance.
    pub z: Complex,
    /// Total shunt admittance, half of it at each end.
    pub charging: Complex,
}

/// European standard types 149-AL1/24, 184-AL1/30, 243-AL1/39 and 305-AL1/39 at 110 kV as
/// pandapower's `create_std_types` lists them; AC-400 follows their trend, its last digit is not
/// from a list.
const TABLE: [Conductor; 5] = [
    Conductor { name: "AC-150", r: 0.1940, x: 0.41, c: 8.75, current_max: 470.0 },
    Conductor { name: "AC-185", r: 0.1571, x: 0.40, c: 8.80, current_max: 535.0 },
    Conductor { name: "AC-240", r: 0.1188, x: 0.39, c: 9.00, current_max: 645.0 },
    Conductor { name: "AC-300", r: 0.0949, x: 0.38, c: 9.20, current_max: 740.0 },
    Conductor { name: "AC-400", r: 0.0750, x: 0.38, c: 9.30, current_max: 840.0 },
];

/// Angular frequency of the grid, rad/s.
const OMEGA: f64 = 2.0 * std::f64::consts::PI * 50.0;

impl Conductor {
    /// Every conductor of the table, thinnest first.
    pub fn all() -> &'static [Self] {
        &TABLE
    }

    /// The conductor of that name, such as `AC-185`.
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLE.iter().find(|conductor| conductor.name == name)
    }

    /// Susceptance, µS/km.
    pub fn b(&self) -> f64 {
        OMEGA * self.c * 1e-3
    }

    /// A single circuit of `km` kilometres at `kv` nominal kilovolts on `base_mva`. Two circuits
    /// are two branches.
    pub fn line(&self, km: f64, kv: f64, base_mva: f64) -> LineData {
        let ohms = kv * kv / base_mva;
        LineData {
            z: Complex::new(self.r * km / ohms, self.x * km / ohms),
            charging: Complex::new(0.0, self.b() * 1e-6 * km * ohms),
        }
    }

    /// Permissible apparent power in MVA at `kv` kilovolts.
    pub fn mva_max(&self, kv: f64) -> f64 {
        3.0_f64.sqrt() * kv * self.current_max / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_kilometres_of_ac_185_are_as_by_hand() {
        let line = Conductor::named("AC-185").unwrap().line(30.0, 115.0, 100.0);
        let ohms = 115.0 * 115.0 / 100.0;
        assert!((line.z.re * ohms - 4.713).abs() < 1e-9);
        assert!((line.z.im * ohms - 12.0).abs() < 1e-9);
        // B = 2.76 µS/km: 1.1 MVAr at 115 kV
        assert!((line.charging.im * 100.0 - 1.097).abs() < 1e-3, "{}", line.charging.im);
        assert!((Conductor::named("AC-185").unwrap().mva_max(110.0) - 101.9).abs() < 0.1);
    }

    #[test]
    fn a_thicker_conductor_resists_less_and_carries_more() {
        for pair in Conductor::all().windows(2) {
            assert!(pair[0].r > pair[1].r && pair[0].current_max < pair[1].current_max);
        }
        assert_eq!(Conductor::named("AC-1"), None);
    }
}
