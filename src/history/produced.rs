//! Energy that plants gave to the grid in a window, from the counters of their metered points.
//!
//! A count is kept as it stood at the end of each hour; what was added since the one before belongs to
//! the local day of the reading. A step back, or one that the plant cannot give in that time, brings
//! nothing: the stretch is not known, and that is said.

use std::collections::BTreeMap;

use super::figure::{Figure, Remark, What};
use super::window::Span;
use crate::clock::Timestamp;
use crate::historian::counts::Share;
use crate::store::{EnergyKind, EnergyLine, Reader, StoreError};

/// More than its installed power a plant gives at no point; a little more may be read over an hour.
const OVERLOAD: f64 = 1.1;
/// A counter may be read so much later than the one before, hours: the slowest scan and a step of it.
const READ_LATE_H: f64 = 0.5;
/// Counters are taken down every hour: between readings that are further apart nobody saw them, milliseconds.
const UNSEEN_MS: i64 = 2 * 3_600_000;

/// What went over a metered point, or over several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Produced {
    out_kwh: i64,
    in_kwh: i64,
    /// Milliseconds between the readings that both rest on, of those of the window.
    known: Share,
    remarks: Vec<Remark>,
}

impl Produced {
    /// To the grid, kWh.
    pub fn out_kwh(&self) -> Figure<i64> {
        self.figure(self.out_kwh)
    }

    /// From the grid, kWh.
    pub fn in_kwh(&self) -> Figure<i64> {
        self.figure(self.in_kwh)
    }

    /// Produced and distributed: to the grid less from it, kWh.
    pub fn net_kwh(&self) -> Figure<i64> {
        self.figure(self.out_kwh - self.in_kwh).with(self.remarks.iter().cloned())
    }

    fn figure(&self, kwh: i64) -> Figure<i64> {
        if self.known.have > 0 {
            Figure::new(kwh, self.known)
        } else {
            Figure::unknown(self.known.want)
        }
    }
}

impl std::ops::AddAssign<&Self> for Produced {
    fn add_assign(&mut self, other: &Self) {
        self.out_kwh = self.out_kwh.saturating_add(other.out_kwh);
        self.in_kwh = self.in_kwh.saturating_add(other.in_kwh);
        self.known += other.known;
        self.remarks.extend(other.remarks.iter().cloned());
    }
}

/// What went over each metered point in a window of whole local days, `first` to `last` (since 1970), by
/// plant and point. `span` is the window as far as it was watched; `rating` the installed power of a plant
/// in MW, `None` for one that the contract does not name.
///
/// # Errors
/// When the store cannot be read.
pub fn produced(
    reader: &Reader,
    (first, last): (i64, i64),
    span: Span,
    rating: impl Fn(&str) -> Option<f64>,
) -> Result<BTreeMap<(String, String), Produced>, StoreError> {
    let mut points: BTreeMap<(String, String), Produced> = BTreeMap::new();
    let mut known: BTreeMap<(String, String), [i64; 2]> = BTreeMap::new();
    let mut before: Option<(Timestamp, EnergyLine)> = None;
    reader.energy_counts(Timestamp(i64::MAX), |at, line| {
        let last_line = before.replace((at, line.clone()));
        let side = match line.kind {
            EnergyKind::Out => 0,
            EnergyKind::In => 1,
            EnergyKind::Remote | EnergyKind::Hand => return,
        };
        if !(first..=last).contains(&line.day) {
            return;
        }
        let key = (line.station.clone(), point_of(&line.id).to_owned());
        let own = points.entry(key.clone()).or_default();
        // Without a reading before it nobody knows since when the first one counts.
        let Some((since, old)) = last_line.filter(|(_, b)| b.is_same_count(&line)) else { return };
        let passed = at.since(since).max(0);
        let Some(kwh) = step(&old, &line, passed, rating(&line.station)) else {
            let place = format!("{}.{}", line.station, line.id);
            own.remarks.push(Remark { at, until: None, place, what: What::CountDoubtful });
            return;
        };
        let sum = if side == 0 { &mut own.out_kwh } else { &mut own.in_kwh };
        *sum = sum.saturating_add(kwh);
        if passed > UNSEEN_MS {
            let place = format!("{}.{}", line.station, line.id);
            let unseen = Remark { at: since, until: Some(at), place, what: What::UnseenBetween };
            own.remarks.push(unseen);
        }
        let known = &mut known.entry(key).or_default()[side];
        *known = known.saturating_add(Span::new(since, at).and(span).length());
    })?;
    for (key, own) in &mut points {
        let [out, back] = known.get(key).copied().unwrap_or_default();
        let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
        own.known = Share::new(ms(out.min(back).min(span.length())), ms(span.length()));
    }
    Ok(points)
}

/// The metered point of a counter: `220.271` of `220.271.E.OUT`.
fn point_of(id: &str) -> &str {
    id.rsplitn(3, '.').last().unwrap_or(id)
}

/// What a counter added in `passed` milliseconds, kWh; `None` when that cannot be.
fn step(before: &EnergyLine, line: &EnergyLine, passed: i64, rating: Option<f64>) -> Option<i64> {
    let kwh = i64::try_from(line.kwh.checked_sub(before.kwh)?).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "energy and time of a plant")]
    let (wide, hours) = (kwh as f64, passed.max(0) as f64 / 3_600_000.0);
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
        let line = |kwh| EnergyLine {
            kind: EnergyKind::Out,
            station: "HPP".to_owned(),
            id: "220.271.E.OUT".to_owned(),
            sells: false,
            day: 1,
            kwh,
            meter_days: 0,
            meters: 0,
            behind: 0,
        };
        let hour = 3_600_000;
        assert_eq!(step(&line(5_000), &line(1_500_000), hour, Some(1_920.0)), Some(1_495_000));
        assert_eq!(step(&line(5_000), &line(4_000), hour, Some(1_920.0)), None);
        assert_eq!(step(&line(5_000), &line(5_000_000), hour, Some(1_920.0)), None);
        assert_eq!(step(&line(5_000), &line(5_000), 0, Some(1.0)), Some(0));
        assert_eq!(point_of("220.271.E.OUT"), "220.271");
    }
}
