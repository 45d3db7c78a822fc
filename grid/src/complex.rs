//! Complex numbers, as far as circuits need them. No general complex library.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// A complex number: a phasor, an impedance, an admittance or a power.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Complex {
    /// Real part: resistance, conductance, active power.
    pub re: f64,
    /// Imaginary part: reactance, susceptance, reactive power.
    pub im: f64,
}

impl Complex {
    /// Nothing.
    pub const ZERO: Self = Self { re: 0.0, im: 0.0 };
    /// The real unit.
    pub const ONE: Self = Self { re: 1.0, im: 0.0 };

    /// From rectangular parts.
    #[inline]
    pub const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// From magnitude and angle in radians.
    #[inline]
    pub fn polar(abs: f64, arg: f64) -> Self {
        let (sin, cos) = libm::sincos(arg);
        Self { re: abs * cos, im: abs * sin }
    }

    /// Magnitude. Overflows to infinity above about 1e154, which no per-unit value reaches.
    #[inline]
    pub fn abs(self) -> f64 {
        self.abs_squared().sqrt()
    }

    /// Square of the magnitude.
    #[inline]
    pub fn abs_squared(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    /// Angle in radians, from -π to π; 0 for zero.
    #[inline]
    pub fn arg(self) -> f64 {
        libm::atan2(self.im, self.re)
    }

    /// The number mirrored at the real axis.
    #[inline]
    #[must_use]
    pub fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    /// One divided by this; not finite for zero.
    #[inline]
    #[must_use]
    pub fn recip(self) -> Self {
        let scale = 1.0 / self.abs_squared();
        Self { re: self.re * scale, im: -self.im * scale }
    }

    /// Whether both parts are numbers below infinity.
    #[inline]
    pub fn is_finite(self) -> bool {
        self.re.is_finite() && self.im.is_finite()
    }
}

impl Add for Complex {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        Self {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

impl Mul<f64> for Complex {
    type Output = Self;
    #[inline]
    fn mul(self, factor: f64) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }
}

impl Div for Complex {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let scale = 1.0 / other.abs_squared();
        self * other.conj() * scale
    }
}

impl Neg for Complex {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self { re: -self.re, im: -self.im }
    }
}

impl AddAssign for Complex {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Complex {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_undoes_multiplication_and_polar_undoes_abs_and_arg() {
        let (a, b) = (Complex::new(3.0, -4.0), Complex::new(-0.5, 2.0));
        assert!((a * b / b - a).abs() < 1e-15);
        assert!((a * a.recip() - Complex::ONE).abs() < 1e-15);
        assert!((Complex::polar(a.abs(), a.arg()) - a).abs() < 1e-15);
        assert!((a * a.conj() - Complex::new(25.0, 0.0)).abs() < 1e-15);
    }
}
