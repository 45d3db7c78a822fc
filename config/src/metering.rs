//! What a head-end publishes of a group of meters: counts of a day, laid out in the registers of
//! the metering unit. Integers only; shares are made where they are shown.

use crate::codec::{Decoded, Encoding, Flags, WordOrder, decode, encode};

/// Counts of one group of meters as its head-end publishes them.
///
/// A day is told in days since 1970-01-01 of the local calendar, and is the day whose consumption
/// was read: the register of its closing midnight, and the half hours within it. 0 says that
/// nothing is published yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeterFigures {
    /// The day that the first pass, the intervals and the concentrators' minutes hold for.
    pub day: u16,
    /// The day that the final count holds for.
    pub final_day: u16,
    /// Meters whose midnight register was to be read on `day`: those with a proven channel.
    pub expected: u32,
    /// Of these, read by the deadline at the first pass.
    pub first_pass: u32,
    /// Meters whose midnight register was to be read on `final_day`.
    pub final_expected: u32,
    /// Of these, read by the deadline at the first pass of that day: what `first_pass` was then.
    pub final_first_pass: u32,
    /// Of these, read when retries ended.
    pub final_read: u32,
    /// Half hours that meters with an interval profile should have of `day`.
    pub intervals_expected: u32,
    /// Of these, valid ones that had arrived by the deadline of the first pass.
    pub intervals: u32,
    /// Half hours that meters with an interval profile should have of `final_day`.
    pub final_intervals_expected: u32,
    /// Of these, valid ones on time: by the deadline of the first pass of that day.
    pub final_intervals_on_time: u32,
    /// Of these, valid ones that came late: after the deadline, on the day after `final_day`.
    pub final_intervals_late: u32,
    /// Of these, valid ones that retries filled in on the two days after that. What is left is missing.
    pub final_intervals_backfilled: u32,
    /// Concentrators.
    pub concentrators: u16,
    /// Of these, online now.
    pub online: u16,
    /// Minutes of `day` that the concentrators should have been online.
    pub minutes_expected: u32,
    /// Of these, minutes that they were.
    pub minutes_online: u32,
}

impl MeterFigures {
    /// Registers that the figures of a group take.
    pub const REGISTERS: u16 = 30;

    /// As registers, high word first.
    pub fn cells(&self) -> [u16; Self::REGISTERS as usize] {
        let mut cells = [0; Self::REGISTERS as usize];
        (cells[0], cells[1]) = (self.day, self.final_day);
        (cells[14], cells[15]) = (self.concentrators, self.online);
        for (at, value) in [
            (2, self.expected),
            (4, self.first_pass),
            (6, self.final_expected),
            (8, self.final_read),
            (10, self.intervals_expected),
            (12, self.intervals),
            (16, self.minutes_expected),
            (18, self.minutes_online),
            (20, self.final_first_pass),
            (22, self.final_intervals_expected),
            (24, self.final_intervals_on_time),
            (26, self.final_intervals_late),
            (28, self.final_intervals_backfilled),
        ] {
            let value = Some(f64::from(value));
            let flags = encode(Encoding::C32, WordOrder::Abcd, value, &mut cells[at..at + 2]);
            debug_assert_eq!(flags, Flags::GOOD, "a u32 fits a C32");
        }
        cells
    }

    /// From registers. `None` when there are too few of them, or when what they say cannot be:
    /// more read than expected, more online than there are.
    pub fn from_cells(cells: &[u16]) -> Option<Self> {
        let cells = cells.get(..usize::from(Self::REGISTERS))?;
        let count = |at: usize| match decode(Encoding::C32, WordOrder::Abcd, &cells[at..at + 2]) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a C32 is an unsigned number of 32 bits"
            )]
            Decoded::Value(value) => Some(value as u32),
            _ => None,
        };
        let figures = Self {
            day: cells[0],
            final_day: cells[1],
            expected: count(2)?,
            first_pass: count(4)?,
            final_expected: count(6)?,
            final_read: count(8)?,
            intervals_expected: count(10)?,
            intervals: count(12)?,
            concentrators: cells[14],
            online: cells[15],
            minutes_expected: count(16)?,
            minutes_online: count(18)?,
            final_first_pass: count(20)?,
            final_intervals_expected: count(22)?,
            final_intervals_on_time: count(24)?,
            final_intervals_late: count(26)?,
            final_intervals_backfilled: count(28)?,
        };
        figures.is_possible().then_some(figures)
    }

    /// Half hours of `final_day` that never came; `None` when more came than should be.
    pub fn final_intervals_missing(&self) -> Option<u32> {
        self.final_intervals_expected
            .checked_sub(self.final_intervals_on_time)?
            .checked_sub(self.final_intervals_late)?
            .checked_sub(self.final_intervals_backfilled)
    }

    fn is_possible(&self) -> bool {
        self.first_pass <= self.expected
            && self.final_first_pass <= self.final_read
            && self.final_read <= self.final_expected
            && self.final_intervals_missing().is_some()
            && self.intervals <= self.intervals_expected
            && self.online <= self.concentrators
            && self.minutes_online <= self.minutes_expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_their_registers_and_impossible_ones_do_not() {
        let figures = MeterFigures {
            day: 19_318,
            final_day: 19_315,
            expected: 27_314,
            first_pass: 26_800,
            final_expected: 27_314,
            final_first_pass: 26_790,
            final_read: 27_250,
            final_intervals_expected: 1_000_000,
            final_intervals_on_time: 970_000,
            final_intervals_late: 20_000,
            final_intervals_backfilled: 9_000,
            intervals_expected: 4_000_000_000,
            intervals: 3_900_000_000,
            concentrators: 110,
            online: 109,
            minutes_expected: 158_400,
            minutes_online: 158_001,
        };
        assert_eq!(MeterFigures::from_cells(&figures.cells()), Some(figures));
        assert_eq!(MeterFigures::from_cells(&figures.cells()[1..]), None);
        assert_eq!(figures.final_intervals_missing(), Some(1_000));
        for impossible in [
            MeterFigures { first_pass: 27_315, ..figures },
            MeterFigures { final_first_pass: 27_251, ..figures },
            MeterFigures { final_intervals_late: 21_001, ..figures },
            MeterFigures { final_intervals_backfilled: u32::MAX, ..figures },
        ] {
            assert_eq!(MeterFigures::from_cells(&impossible.cells()), None);
        }
    }
}
