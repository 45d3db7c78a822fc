//! Chance as a function: of the seed, of who asks, and of time. No stream is drawn from, so it does
//! not matter who asks first or how often.

/// A source of chance for one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The chance of a device, named by text.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        // FNV-1a, then spread: names differ in few bits.
        let start = 0xCBF2_9CE4_8422_2325_u64;
        let hash = name
            .bytes()
            .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        Self(mix(seed ^ mix(hash)))
    }

    /// A fixed number of the device from 0 up to 1; `what` tells several apart.
    pub(crate) fn share(self, what: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let share = (mix(self.0 ^ mix(what)) >> 11) as f64 / (1_u64 << 53) as f64;
        share
    }

    /// A number of the device for a slot of time, 0 up to 1; `what` tells several apart.
    pub(crate) fn share_of(self, what: u64, slot: i64) -> f64 {
        self.share(what.wrapping_add(mix(slot.cast_unsigned())))
    }

    /// A fixed whole number below `count`.
    pub(crate) fn below(self, what: u64, count: usize) -> usize {
        self.below_of(what, 0, count)
    }

    /// A whole number below `count` for a slot of time.
    pub(crate) fn below_of(self, what: u64, slot: i64, count: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a small number"
        )]
        let n = (self.share_of(what, slot) * count as f64) as usize;
        n.min(count.saturating_sub(1))
    }

    /// A fixed number from `low` to `high`.
    pub(crate) fn between(self, what: u64, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share(what)
    }

    /// Noise of a slot of time: mean 0, sigma 1, never beyond 3 (the sum of three even shares).
    pub(crate) fn bell(self, what: u64, slot: i64) -> f64 {
        let bits = mix(self.0 ^ mix(what.wrapping_add(mix(slot.cast_unsigned()))));
        let part = |shift: u32| f64::from(u32::try_from(bits >> shift & 0x1F_FFFF).unwrap_or(0));
        (part(0) + part(21) + part(42)) / f64::from(1_u32 << 20) - 3.0
    }

    /// A value that wanders between -1 and 1, about one swing in twice `seconds`, smooth in time.
    pub(crate) fn wander(self, what: u64, at_ms: i64, seconds: i64) -> f64 {
        let period_ms = seconds * 1_000;
        let slot = at_ms.div_euclid(period_ms);
        #[expect(clippy::cast_precision_loss, reason = "within one period")]
        let x = at_ms.rem_euclid(period_ms) as f64 / period_ms as f64;
        let knot = |n: i64| 2.0 * self.share_of(what, n) - 1.0;
        let smooth = x * x * (3.0 - 2.0 * x);
        knot(slot) * (1.0 - smooth) + knot(slot + 1) * smooth
    }
}

/// Spreads the bits of a number (the finaliser of `SplitMix64`).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A number near the golden section of `size` that shares no factor with it.
pub(crate) fn coprime_step(size: u64) -> u64 {
    let gcd = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // 0.618 spreads best.
    let near = (size * 618 / 1_000).max(1);
    (near..=near + size).find(|step| gcd(*step, size) == 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_depends_on_seed_name_and_time_alone() {
        let a = Chance::of(42, "HB01.471");
        assert_eq!(a.share(1).to_bits(), Chance::of(42, "HB01.471").share(1).to_bits());
        assert_ne!(a.share(1).to_bits(), Chance::of(43, "HB01.471").share(1).to_bits());
        assert_ne!(a.share(1).to_bits(), Chance::of(42, "HB01.472").share(1).to_bits());
        let mean = (0..10_000).map(|n| a.share(n)).sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }

    #[test]
    fn a_wandering_value_is_smooth_and_bounded() {
        let chance = Chance::of(1, "f");
        let values: Vec<f64> = (0..100_000).map(|s| chance.wander(0, s * 1_000, 40)).collect();
        assert!(values.iter().all(|x| x.abs() <= 1.0));
        assert!(values.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.1));
    }
}
