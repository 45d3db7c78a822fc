//! Energy that plants gave to the grid in a window, from the counters of their metered points.
//!
//! A count is kept as it stood at the end of each hour; what was added since the one before belongs to
//! the local day of the reading. A step back, or one that the plant cannot give in that time, brings
//! nothing: the stretch is not known, and that is said.

use historian::counts::Share;
use signal::clock::Timestamp;

use super::counted::{Brought, Days};
use super::figure::{Figure, Remark, What};
use super::window::Span;
use super::window::merged;
use crate::{EnergyKind, EnergyLine};

/// More than its installed power a plant gives at no point; a little more may be read over an hour.
pub(super) const OVERLOAD: f64 = 1.1;
/// A counter may be read so much later than the one before, hours: the slowest scan and a step of it.
const READ_LATE_H: f64 = 0.5;
/// Counters are taken down every hour: between readings that are further apart nobody saw them, milliseconds.
pub(super) const UNSEEN_MS: i64 = 2 * 3_600_000;

/// What went over a metered point, or over several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Produced {
    /// To the grid, and from it.
    sides: [Side; 2],
    /// Milliseconds between readings of both counters, of those of the window.
    both: Share,
    remarks: Vec<Remark>,
}

/// What went over points one way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Side {
    kwh: i64,
    /// Whether any step of its counter belongs to the window.
    is_read: bool,
    /// Milliseconds between readings of its counter, of those of the window.
    known: Share,
}

impl Produced {
    /// To the grid, kWh.
    pub fn out_kwh(&self) -> Figure<i64> {
        self.sides[0].figure()
    }

    /// From the grid, kWh.
    pub fn in_kwh(&self) -> Figure<i64> {
        self.sides[1].figure()
    }

    /// Produced and distributed: to the grid less from it, kWh.
    pub fn net_kwh(&self) -> Figure<i64> {
        let [out, back] = &self.sides;
        let net = if out.is_read && back.is_read {
            Figure::new(out.kwh.saturating_sub(back.kwh), self.both)
        } else {
            Figure::untold(self.both)
        };
        net.with(self.remarks.iter().cloned())
    }
}

impl Side {
    /// What was read. Its time may lie outside the window in which it belongs, where a clock jumped.
    fn figure(&self) -> Figure<i64> {
        let Self { kwh, is_read, known } = *self;
        if is_read { Figure::new(kwh, known) } else { Figure::untold(known) }
    }
}

impl Produced {
    /// Remarks what speaks against what was counted from one reading to the next; what goes on is one thing.
    fn doubt(&mut self, (since, at): (Timestamp, Timestamp), place: String, what: What) {
        match self.remarks.last_mut() {
            Some(last) if (last.what, last.until) == (what, Some(since)) && last.place == place => {
                last.until = Some(at);
            }
            _ => self.remarks.push(Remark { at: since, until: Some(at), place, what }),
        }
    }
}

impl std::ops::AddAssign<&Self> for Produced {
    fn add_assign(&mut self, other: &Self) {
        for (own, other) in self.sides.iter_mut().zip(&other.sides) {
            own.kwh = own.kwh.saturating_add(other.kwh);
            own.is_read |= other.is_read;
            own.known += other.known;
        }
        self.both += other.both;
        self.remarks.extend(other.remarks.iter().cloned());
    }
}

/// A metered point as its two counters are gone through.
#[derive(Debug, Default)]
pub(super) struct Point {
    own: Produced,
    /// Any of its readings is of a day of the window.
    is_told: bool,
    /// Stretches between readings of each counter that could be used, to the grid and from it, in order.
    seen: [Vec<Span>; 2],
}

impl Point {
    /// Plant and point of a line.
    pub(super) fn key(line: &EnergyLine) -> (String, String) {
        (line.station.clone(), point_of(&line.id).to_owned())
    }

    /// Takes what a reading of a counter brought, in kWh, and since when: `at` a moment, of a local day, with the reading
    /// before it.
    pub(super) fn take(
        &mut self,
        days: &Days<'_>,
        line: &EnergyLine,
        brought: Brought<(Timestamp, i64)>,
        (before, at, day): (Option<Timestamp>, Timestamp, i64),
    ) {
        let is_own = days.has(day);
        self.is_told |= is_own;
        let place = || format!("{}.{}", line.station, line.id);
        let (since, kwh) = match brought {
            // Nobody knows since when it counts.
            Brought::First => return,
            Brought::Known(known) => known,
            Brought::Doubtful(what) => {
                if is_own {
                    self.own.doubt((before.unwrap_or(at), at), place(), what);
                }
                return;
            }
        };
        let passed = at.since(since);
        let side = usize::from(line.kind == EnergyKind::In);
        let own = &mut self.own.sides[side];
        if is_own {
            (own.kwh, own.is_read) = (own.kwh.saturating_add(kwh), true);
        }
        if is_own && passed > UNSEEN_MS {
            let (place, what) = (place(), What::UnseenBetween);
            self.own.remarks.push(Remark { at: since, until: Some(at), place, what });
        }
        // Its energy belongs to the day of its reading, its time to the window in which it lies; but where nobody saw the
        // counter in between, what of its energy is of the window cannot be told.
        let leaves = !is_own || since < days.span.from;
        if leaves && passed > UNSEEN_MS {
            self.is_told |= days.touches(since, at);
            return;
        }
        let (span, seen) = (Span::new(since, at).and(days.span), &mut self.seen[side]);
        if span.length() == 0 {
            return;
        }
        match seen.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => seen.push(span),
        }
    }

    /// Whether anything of it is of the window.
    pub(super) fn is_of_window(&self) -> bool {
        self.is_told || self.seen.iter().any(|seen| !seen.is_empty())
    }

    /// What both counters tell of a window.
    pub(super) fn into_produced(mut self, span: Span) -> Produced {
        let share = |ms: i64| Share::new(ms.unsigned_abs(), span.length().unsigned_abs());
        // Behind a jump of the clock readings need not be in the order of time.
        self.seen = self.seen.map(merged);
        let [out, back] = &self.seen;
        let mut both = 0;
        let mut rest = &back[..];
        for own in out {
            // What ends before it is of no later one either.
            rest = &rest[rest.partition_point(|other| other.to <= own.from)..];
            let others = rest.iter().take_while(|other| other.from < own.to);
            both += others.map(|other| other.and(*own).length()).sum::<i64>();
        }
        for (side, seen) in self.own.sides.iter_mut().zip(&self.seen) {
            side.known = share(seen.iter().map(|own| own.length()).sum());
        }
        Produced { both: share(both), ..self.own }
    }
}

/// The metered point of a counter: `220.271` of `220.271.E.OUT`.
fn point_of(id: &str) -> &str {
    id.rsplitn(3, '.').last().unwrap_or(id)
}

/// What a counter added in `passed` milliseconds, kWh; `None` when that cannot be, or no time has passed. `rating`: what
/// the plant can give, MW, where that is known.
pub(super) fn step((before, after): (u64, u64), passed: i64, rating: Option<f64>) -> Option<i64> {
    let kwh = i64::try_from(after.checked_sub(before)?).ok().filter(|_| passed > 0)?;
    #[expect(clippy::cast_precision_loss, reason = "energy and time of a plant")]
    let (wide, hours) = (kwh as f64, passed as f64 / 3_600_000.0);
    let most = rating.map_or(f64::INFINITY, |mw| {
        // Counters are whole megawatt-hours.
        1_000.0 * (OVERLOAD * mw * (hours + READ_LATE_H) + 1.0)
    });
    (wide <= most).then_some(kwh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_adds_what_its_plant_can_give() {
        let hour = 3_600_000;
        assert_eq!(step((5_000, 1_500_000), hour, Some(1_920.0)), Some(1_495_000));
        assert_eq!(step((5_000, 4_000), hour, Some(1_920.0)), None);
        assert_eq!(step((5_000, 5_000_000), hour, Some(1_920.0)), None);
        assert_eq!(step((5_000, 5_000), 1, Some(1.0)), Some(0));
        assert_eq!(step((5_000, 5_000), 0, Some(1.0)), None);
        assert_eq!(point_of("220.271.E.OUT"), "220.271");
    }
}
