//! Sine and cosine of our own: the platform's differ in the last bit from machine to machine, and
//! a replay must give the same bits everywhere. Not for angles beyond a few thousand turns.

/// π/2 in three parts of 33 bits (Cody and Waite; the split that fdlibm's `e_rem_pio2.c` uses).
const HALF_PI: [f64; 3] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
/// Adding it leaves the nearest integer in the low bits of the sum: 1.5 · 2⁵².
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// Minimax polynomials on ±π/4 from fdlibm's `k_sin.c` and `k_cos.c`, error below 2⁻⁵⁸.
const SIN: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_3e-8,
    1.589_690_995_211_55e-10,
];
const COS: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// Sine and cosine of an angle in radians, to about one unit in the last place for |x| < 10 000.
#[inline]
pub(crate) fn sin_cos(x: f64) -> (f64, f64) {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUNDER;
    let turns = shifted - ROUNDER;
    let r = ((x - turns * HALF_PI[0]) - turns * HALF_PI[1]) - turns * HALF_PI[2];
    let z = r * r;
    let odd = SIN[1] + z * (SIN[2] + z * (SIN[3] + z * (SIN[4] + z * SIN[5])));
    let sin = r + z * r * (SIN[0] + z * odd);
    let even = COS[0] + z * (COS[1] + z * (COS[2] + z * (COS[3] + z * (COS[4] + z * COS[5]))));
    let half = 0.5 * z;
    let near = 1.0 - half;
    let cos = near + (((1.0 - near) - half) + z * z * even);
    let quadrant = shifted.to_bits() & 3;
    let (first, second) = if quadrant & 1 == 0 { (sin, cos) } else { (cos, sin) };
    (
        if quadrant & 2 == 0 { first } else { -first },
        if (quadrant + 1) & 2 == 0 { second } else { -second },
    )
}

/// Sine and cosine of what is mostly a small angle: up to an eighth by the series, whose first
/// term left out is below 1e-17.
#[inline]
pub(crate) fn sin_cos_of_step(x: f64) -> (f64, f64) {
    if x.abs() > 0.125 {
        return sin_cos(x);
    }
    let z = x * x;
    let odd = 1.0 / 120.0 - z * (1.0 / 5040.0 - z * (1.0 / 362_880.0));
    let even = 1.0 / 24.0 - z * (1.0 / 720.0 - z * (1.0 / 40_320.0 - z * (1.0 / 3_628_800.0)));
    (x - x * z * (1.0 / 6.0 - z * odd), 1.0 - z * (0.5 - z * even))
}

#[cfg(test)]
mod tests {
    use super::{sin_cos, sin_cos_of_step};

    #[test]
    fn agrees_with_the_platform_to_the_last_place() {
        let mut x = -400.0_f64;
        while x < 400.0 {
            let (sin, cos) = sin_cos(x);
            assert!((sin - x.sin()).abs() < 2.5e-16, "{x}: {sin} {}", x.sin());
            assert!((cos - x.cos()).abs() < 2.5e-16, "{x}: {cos} {}", x.cos());
            x += 0.001_7;
        }
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
    }

    #[test]
    fn steps_agree_with_the_platform_too() {
        let mut x = -1.5_f64;
        while x < 1.5 {
            let (sin, cos) = sin_cos_of_step(x);
            assert!((sin - x.sin()).abs() < 2.5e-16 && (cos - x.cos()).abs() < 2.5e-16, "{x}");
            x += 0.000_37;
        }
    }
}
