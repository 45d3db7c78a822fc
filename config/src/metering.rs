//! What a head-end publishes of a group of meters: counts of a day and the energy sold, laid out in
//! the registers of the metering unit. Integers only; shares are made where they are shown.

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

/// Energy sold by the meters of one group, as its head-end has read it: running counts since it began
/// to count, so that nothing is lost when nobody asks for a while.
///
/// A meter that is read brings what it has counted since it was last read, and a meter-day for each
/// day since then. What a meter has counted since its last reading is in no count: it is not known.
/// Such meter-days are told beside it, so that what a reading brings can be told from what it should have.
/// Days are those of [`MeterFigures`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoldFigures {
    /// The day at whose end the registers stood that were read remotely last; 0: none yet.
    pub day: u16,
    /// The last day on which meters were read by hand; 0: none yet.
    pub hand_day: u16,
    /// Meters whose latest remote reading failed: they are behind until the next one.
    pub remote_behind: u32,
    /// Meters that the latest round by hand did not reach.
    pub hand_behind: u32,
    /// Energy that remote readings have brought, kWh.
    pub remote_kwh: u64,
    /// Meter-days that it covers.
    pub remote_days: u64,
    /// Energy that readings by hand have brought, kWh.
    pub hand_kwh: u64,
    /// Meter-days that it covers.
    pub hand_days: u64,
    /// Meter-days up to the end of `day` that no remote reading covers.
    pub remote_unread: u32,
    /// Meter-days up to the end of `hand_day` that no reading by hand covers.
    pub hand_unread: u32,
    /// The day at whose end the head-end began to count; 0: not yet.
    pub since: u16,
}

impl SoldFigures {
    /// Registers that the figures of a group take.
    pub const REGISTERS: u16 = 27;
    /// The most that a meter counts in a day, kWh: 10 MW from midnight to midnight. What is sold at
    /// medium voltage in a province is far below.
    pub const KWH_PER_DAY_MAX: u64 = 240_000;
    /// Counts stay below this, a thousand times what a province sells in a year: every program can hold
    /// them exactly, and sum them.
    const COUNT_MAX: u64 = 1 << 40;

    /// As registers, high word first.
    pub fn cells(&self) -> [u16; Self::REGISTERS as usize] {
        let mut cells = [0; Self::REGISTERS as usize];
        (cells[0], cells[1]) = (self.day, self.hand_day);
        let mut put = |at: usize, bytes: &[u8]| {
            for (cell, pair) in cells[at..].iter_mut().zip(bytes.chunks_exact(2)) {
                *cell = u16::from_be_bytes([pair[0], pair[1]]);
            }
        };
        put(2, &self.remote_behind.to_be_bytes());
        put(4, &self.hand_behind.to_be_bytes());
        put(6, &self.remote_kwh.to_be_bytes());
        put(10, &self.remote_days.to_be_bytes());
        put(14, &self.hand_kwh.to_be_bytes());
        put(18, &self.hand_days.to_be_bytes());
        put(22, &self.remote_unread.to_be_bytes());
        put(24, &self.hand_unread.to_be_bytes());
        cells[26] = self.since;
        cells
    }

    /// From registers, of a group of `meters`. `None` when there are too few of them, or when what
    /// they say cannot be: energy that no meter-day covers, more than a meter can count, more
    /// meters behind than there are, more meter-days than have passed since 1970, a reading of a day
    /// before it began to count.
    pub fn from_cells(cells: &[u16], meters: u32) -> Option<Self> {
        let cells = cells.get(..usize::from(Self::REGISTERS))?;
        let number = |at: usize, count: usize| {
            cells[at..at + count].iter().fold(0, |sum, cell| sum << 16 | u64::from(*cell))
        };
        let figures = Self {
            day: cells[0],
            hand_day: cells[1],
            remote_behind: u32::try_from(number(2, 2)).ok()?,
            hand_behind: u32::try_from(number(4, 2)).ok()?,
            remote_kwh: number(6, 4),
            remote_days: number(10, 4),
            hand_kwh: number(14, 4),
            hand_days: number(18, 4),
            remote_unread: u32::try_from(number(22, 2)).ok()?,
            hand_unread: u32::try_from(number(24, 2)).ok()?,
            since: cells[26],
        };
        figures.is_possible(meters).then_some(figures)
    }

    fn is_possible(&self, meters: u32) -> bool {
        let part = |day: u16, kwh: u64, days: u64, unread: u32| {
            days.checked_add(unread.into())
                .is_some_and(|all| all <= u64::from(meters) * u64::from(day))
                && (day == 0 || day >= self.since)
                && kwh <= days.saturating_mul(Self::KWH_PER_DAY_MAX)
                && kwh < Self::COUNT_MAX
        };
        let behind = u64::from(self.remote_behind) + u64::from(self.hand_behind);
        behind <= u64::from(meters)
            && part(self.day, self.remote_kwh, self.remote_days, self.remote_unread)
            && part(self.hand_day, self.hand_kwh, self.hand_days, self.hand_unread)
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

    #[test]
    fn energy_sold_survives_its_registers_and_what_cannot_be_does_not() {
        let meters = 27_314;
        let figures = SoldFigures {
            day: 19_318,
            hand_day: 19_311,
            remote_behind: 430,
            hand_behind: 17,
            remote_kwh: 5_000_000_000,
            remote_days: 9_969_610,
            hand_kwh: 70_000,
            hand_days: 6_120,
            remote_unread: 512,
            hand_unread: 800_000,
            since: 18_953,
        };
        let read = |figures: SoldFigures| SoldFigures::from_cells(&figures.cells(), meters);
        assert_eq!(read(figures), Some(figures));
        assert_eq!(read(SoldFigures::default()), Some(SoldFigures::default()));
        assert_eq!(SoldFigures::from_cells(&figures.cells()[1..], meters), None);
        for bad in [
            SoldFigures { remote_days: 0, ..figures },
            SoldFigures { hand_days: 0, ..figures },
            SoldFigures { day: 0, ..figures },
            SoldFigures { hand_day: 0, ..figures },
            SoldFigures { remote_behind: meters, ..figures },
            SoldFigures { hand_kwh: 6_120 * SoldFigures::KWH_PER_DAY_MAX + 1, ..figures },
            SoldFigures { remote_days: u64::from(meters) * 19_318 + 1, ..figures },
            SoldFigures { remote_kwh: u64::MAX, remote_days: u64::MAX, ..figures },
            SoldFigures { remote_kwh: 1 << 40, day: u16::MAX, ..figures },
            SoldFigures { remote_days: u64::from(meters) * 19_318 - 511, ..figures },
            SoldFigures { since: 19_312, ..figures },
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
