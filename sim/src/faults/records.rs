//! Faults of time-tagged records: changes that are made up, mistimed or lost.

use config::{Flags, PointId, Station, StationId};

use super::fault::{Fault, Touched};
use super::kind::FaultKind;
use super::samples::opposite;
use crate::plant::event::Event;
use crate::telemetry::ring::LOST;

/// Seconds of chatter that one step can bring: a machine that slept has missed the rest.
const CHATTER_SECONDS_MAX: i64 = 60;
/// Midnight of 2000-01-01.
const YEAR_2000_MS: i64 = 946_684_800_000;

/// Whether a fault of this kind changes records.
pub(crate) fn changes_events(kind: FaultKind) -> bool {
    use FaultKind as F;
    matches!(
        kind,
        F::Frozen
            | F::Intermediate
            | F::Contradictory
            | F::Inverted
            | F::Chatter
            | F::StuckAlarm
            | F::WrongClock
            | F::EventOverflow
            | F::Substituted
            | F::TestMode
            | F::GatewayHung
            | F::UnitLost
            | F::DeviceFailure
            | F::OneChannelLost
            | F::VtFuse
    )
}

/// A status that a fault makes up, so that its records must follow what is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    /// What the latest record said.
    pub(crate) said: u8,
    /// What is sent now.
    pub(crate) sent: u8,
    /// Whether a fault still touches it.
    pub(crate) touched: bool,
}

/// Whether the value of a status is made up by a fault.
pub(crate) fn makes_up(kind: FaultKind, point: &config::Point) -> bool {
    let alarm = ["BCU.SYNC", "GPS.FAIL", "STN.SOEOV"].contains(&point.spec.id.as_str());
    point.spec.kind.is_status()
        && match kind {
            FaultKind::WrongClock | FaultKind::EventOverflow => alarm,
            FaultKind::TestMode => false,
            _ => true,
        }
}

/// Lets the records of made-up statuses end with what is sent: a change that no record tells gets
/// one.
pub(crate) fn follow(
    watched: &mut std::collections::BTreeMap<PointId, Watched>,
    station: StationId,
    to_ms: i64,
    events: &mut Vec<Event>,
) {
    for (point, watched) in watched.iter_mut() {
        let own = events.iter().rev().find(|e| e.station == station && e.point == *point);
        let said = own.map_or(watched.said, |event| event.value);
        watched.said = watched.sent;
        if said != watched.sent {
            let (value, flags) = (watched.sent, Flags::GOOD);
            events.push(Event { at_ms: to_ms, station, point: *point, value, flags });
        }
    }
    watched.retain(|_, watched| watched.touched);
}

/// Alters the records of a channel between two moments as one fault does.
pub(crate) fn apply(
    fault: &Fault,
    touched: &Touched,
    (id, station): (StationId, &Station),
    (from_ms, to_ms): (i64, i64),
    events: &mut Vec<Event>,
) {
    let hit = |event: &Event| event.station == id && touched.points.contains(&event.point);
    match fault.kind {
        FaultKind::Chatter => {
            events.retain(|event| !hit(event));
            for point in &touched.points {
                chatter(fault, (id, station, *point), (from_ms, to_ms), events);
            }
            events.sort_by_key(|event| event.at_ms);
        }
        FaultKind::Inverted => {
            for event in events.iter_mut().filter(|event| hit(event)) {
                let point = &station.points[event.point.index()];
                event.value = code(opposite(point, f64::from(event.value)));
            }
        }
        FaultKind::TestMode => {
            for event in events.iter_mut().filter(|event| hit(event)) {
                event.flags = event.flags.with(Flags::TEST);
            }
        }
        FaultKind::WrongClock => {
            for event in events.iter_mut().filter(|event| hit(event)) {
                event.at_ms = told(fault, event.at_ms);
            }
        }
        FaultKind::EventOverflow => {
            let lost = fault.settings.number("lost");
            for event in events.iter_mut().filter(|event| hit(event)) {
                let number = event.at_ms.cast_unsigned().wrapping_mul(0x1_0000);
                if fault.chance.share(number ^ u64::from(event.point.0)) < lost {
                    event.flags = event.flags.with(LOST);
                }
            }
        }
        // What does not change leaves no record.
        _ => events.retain(|event| !hit(event)),
    }
}

/// The time tag that a wrong clock gives.
pub(crate) fn told(fault: &Fault, at_ms: i64) -> i64 {
    let since = at_ms - fault.from_ms;
    match fault.settings.word("clock") {
        1 => since,
        2 => YEAR_2000_MS.saturating_add(since),
        _ => {
            #[expect(clippy::cast_possible_truncation, reason = "bounded by the specification")]
            let ahead = (fault.settings.number("seconds") * 1_000.0) as i64;
            at_ms.saturating_add(ahead)
        }
    }
}

/// The changes of a chattering contact: so many a second, the last of each second as its value is.
fn chatter(
    fault: &Fault,
    (station_id, station, point): (StationId, &Station, PointId),
    (from_ms, to_ms): (i64, i64),
    events: &mut Vec<Event>,
) {
    let spec = &station.points[point.index()];
    let normal = f64::from(spec.normal);
    let blocked = fault.settings.word("quality") == 1;
    let flags = if blocked { Flags::BLOCKED } else { Flags::GOOD };
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the specification")]
    let per_second = fault.settings.number("per_second") as i64;
    let last = to_ms.div_euclid(1_000);
    let first = (from_ms.max(fault.from_ms).div_euclid(1_000) + 1)
        .max(last.saturating_sub(CHATTER_SECONDS_MAX));
    for second in first..=last {
        let end = fault.flips(point, second * 1_000);
        let start = fault.flips(point, (second - 1) * 1_000);
        // An even number of changes comes back to where it was, an odd one does not.
        let changes = per_second + i64::from((per_second % 2 == 0) != (start == end));
        for n in 1..=changes {
            let flipped = if (changes - n) % 2 == 0 { end } else { !end };
            let value = if flipped { opposite(spec, normal) } else { normal };
            events.push(Event {
                at_ms: (second - 1) * 1_000 + 1_000 * n / (changes + 1),
                station: station_id,
                point,
                value: code(value),
                flags,
            });
        }
    }
}

/// The code of a status.
pub(crate) fn code(value: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "codes of statuses are 0 to 3"
    )]
    let code = value.clamp(0.0, 3.0) as u8;
    code
}
