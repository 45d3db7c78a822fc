//! Alarms of a window: each counts where it was raised, and gives each window the time that it stood in it.

use super::Span;
use crate::clock::Timestamp;
use crate::store::{Kept, KeptAlarm, Reader, Session, StoreError};

/// An alarm, and how long it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// As the store has it.
    pub alarm: KeptAlarm,
    /// From when it was raised to when its cause was gone, or up to where that is known: nobody knows
    /// how long one stood of which nobody saw the end.
    pub span: Span,
}

impl Stood {
    /// Whether it was raised in a window: that is where it counts.
    pub fn begins_in(&self, window: Span) -> bool {
        window.from <= self.span.from && self.span.from < window.to
    }

    /// Milliseconds that it stood within a window.
    pub fn ms_in(&self, window: Span) -> i64 {
        self.span.and(window).length()
    }
}

/// The alarms that were raised in a window or stood in it, in the order in which they were raised.
///
/// # Errors
/// When the store cannot be read, or what stands in it is damaged.
pub fn alarms(
    reader: &Reader,
    window: Span,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Stood>, StoreError> {
    let mut sessions = reader.sessions()?;
    // A session of which nothing is kept says nothing of how long an alarm stood.
    let kept = reader.kept_from(Kept::Verdicts)?;
    sessions.retain(|session| kept.is_none_or(|kept| session.until >= kept));
    let mut all = Vec::new();
    reader.alarms_in((window.from, window.to), |alarm| {
        let stood = Stood { span: span(&alarm, &sessions), alarm };
        if wanted(&stood.alarm.station) && (stood.begins_in(window) || stood.ms_in(window) > 0) {
            all.push(stood);
        }
    })?;
    Ok(all)
}

/// From when to when an alarm is known to have stood.
fn span(alarm: &KeptAlarm, sessions: &[Session]) -> Span {
    // They are in the order of time, and never overlap.
    let next = |at: Timestamp| sessions.partition_point(|session| session.until <= at);
    let watched = |at: Timestamp| sessions.get(next(at));
    let known = if alarm.is_open { sessions.last() } else { watched(alarm.raised) };
    let known = known.map_or(alarm.raised, |session| session.until);
    Span::new(alarm.raised, alarm.returned.unwrap_or(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::historian::alarms::Priority;
    use crate::historian::verdict::Reason;
    use crate::store::End;

    #[test]
    fn an_alarm_stands_up_to_what_is_known() {
        let session = |id, from, until| Session {
            id,
            contract: 1,
            from: Timestamp(from),
            until: Timestamp(until),
            end: End::Closed,
        };
        let sessions = [session(1, 0, 100), session(2, 150, 300)];
        let alarm = |raised, returned: Option<i64>, is_open| KeptAlarm {
            station: "S1".to_owned(),
            cause: "link".to_owned(),
            reason: Reason::NoLink,
            priority: Priority::ALL[0],
            centres: Vec::new(),
            signals: 1,
            raised: Timestamp(raised),
            at_least: false,
            returned: returned.map(Timestamp),
            acknowledged: None,
            is_open,
        };
        let until = |alarm: KeptAlarm| span(&alarm, &sessions).to.0;
        assert_eq!(until(alarm(50, Some(180), false)), 180);
        assert_eq!(until(alarm(50, None, true)), 300, "never into the future");
        assert_eq!(until(alarm(50, None, false)), 100, "nobody watched any more");
    }
}
