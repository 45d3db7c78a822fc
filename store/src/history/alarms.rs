//! Alarms of a window: each counts where it was raised, and gives each window the time that it stood in it while somebody
//! watched.

use signal::clock::Timestamp;

use super::Span;
use crate::{Kept, KeptAlarm, Reader, Session, StoreError};

/// What is gone so soon after somebody began to watch again, milliseconds, was gone before: by then each station has
/// been asked.
const FIRST_LOOK_MS: i64 = 60_000;

/// An alarm, and how long it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// As the store has it.
    pub alarm: KeptAlarm,
    /// From when it was raised to when its cause was gone, or up to where that is known: nobody knows
    /// how long one stood of which nobody saw the end.
    pub span: Span,
    /// Somebody watched when its cause went.
    pub is_return_seen: bool,
    /// Milliseconds that it is known to have stood: somebody watched.
    pub ms: i64,
    /// Of these, those in the window that was asked for.
    pub ms_in_window: i64,
}

impl Stood {
    /// Whether it was raised in a window: that is where it counts.
    pub fn begins_in(&self, window: Span) -> bool {
        window.from <= self.span.from && self.span.from < window.to
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
    let watched = Watched::of(&sessions);
    let mut all = Vec::new();
    reader.alarms_in((window.from, window.to), |alarm| {
        if !wanted(&alarm.station) {
            return;
        }
        let (span, is_return_seen) = watched.span(&alarm);
        let (ms, ms_in_window) = (watched.ms(span), watched.ms(span.and(window)));
        let stood = Stood { alarm, span, is_return_seen, ms, ms_in_window };
        if stood.begins_in(window) || ms_in_window > 0 {
            all.push(stood);
        }
    })?;
    Ok(all)
}

/// When somebody watched.
struct Watched {
    /// In the order of time; they never overlap.
    sessions: Vec<Span>,
    /// Milliseconds before each.
    before: Vec<i64>,
}

impl Watched {
    fn of(sessions: &[Session]) -> Self {
        let sessions: Vec<Span> =
            sessions.iter().map(|session| Span::new(session.from, session.until)).collect();
        let mut sum = 0;
        let before = sessions
            .iter()
            .map(|session| {
                let before = sum;
                sum += session.length();
                before
            })
            .collect();
        Self { sessions, before }
    }

    /// Milliseconds of a span in which somebody watched.
    fn ms(&self, span: Span) -> i64 {
        let up_to = |at: Timestamp| {
            let began = self.sessions.partition_point(|session| session.from < at);
            began.checked_sub(1).map_or(0, |last| {
                self.before[last]
                    + self.sessions[last].and(Span::new(Timestamp(i64::MIN), at)).length()
            })
        };
        if span.length() > 0 { up_to(span.to) - up_to(span.from) } else { 0 }
    }

    /// From when to when an alarm is known to have stood, and whether somebody saw its end.
    fn span(&self, alarm: &KeptAlarm) -> (Span, bool) {
        let raised = alarm.raised;
        let Some(returned) = alarm.returned else {
            let ended = self.sessions.partition_point(|session| session.to <= raised);
            let known = if alarm.is_open { self.sessions.last() } else { self.sessions.get(ended) };
            return (Span::new(raised, known.map_or(raised, |session| session.to)), false);
        };
        // In the session that told of it, or in an earlier one.
        let began = self.sessions.partition_point(|session| session.from <= returned);
        let told = began.checked_sub(1).map(|last| self.sessions[last].from);
        let earlier = began.checked_sub(2).map(|last| self.sessions[last].to);
        match (told, earlier) {
            (Some(from), Some(until))
                if raised < from && until < from && returned.since(from) <= FIRST_LOOK_MS =>
            {
                (Span::new(raised, until.max(raised)), false)
            }
            _ => (Span::new(raised, returned), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use historian::alarms::Priority;
    use historian::verdict::Reason;

    use super::*;
    use crate::End;

    #[test]
    fn an_alarm_stands_while_somebody_watched_up_to_what_is_known() {
        let session = |id, from: i64, until: i64| Session {
            id,
            contract: 1,
            from: Timestamp(from * 1_000),
            until: Timestamp(until * 1_000),
            end: End::Closed,
        };
        let watched = Watched::of(&[session(1, 0, 100), session(2, 150, 300)]);
        let second = |at: i64| Timestamp(at * 1_000);
        let told = |raised: i64, returned: Option<i64>, is_open| {
            let alarm = KeptAlarm {
                station: "S1".to_owned(),
                cause: "link".to_owned(),
                reason: Reason::NoLink,
                priority: Priority::ALL[0],
                centres: Vec::new(),
                signals: 1,
                raised: second(raised),
                at_least: false,
                returned: returned.map(second),
                acknowledged: None,
                is_open,
            };
            let (span, is_seen) = watched.span(&alarm);
            (span.to.0 / 1_000, watched.ms(span) / 1_000, is_seen)
        };
        // Raised at, returned at, open; known up to, stood for, return seen.
        let table = [
            ((50, Some(80), false), (80, 30, true)),
            ((50, Some(250), false), (250, 150, true)),
            // It was gone when somebody looked again.
            ((50, Some(180), false), (100, 50, false)),
            ((160, Some(180), false), (180, 20, true)),
            // Nobody watched any more, or it lasts; never into the future.
            ((50, None, false), (100, 50, false)),
            ((50, None, true), (300, 200, false)),
        ];
        for ((raised, returned, is_open), expected) in table {
            assert_eq!(told(raised, returned, is_open), expected, "{raised} {returned:?}");
        }
    }
}
