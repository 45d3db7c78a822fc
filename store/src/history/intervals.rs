//! Verdict intervals: how long each point stood as it did, one row for each stretch.

use config::{Channel, PointId, Province};
use historian::verdict_log::VerdictState;
use signal::clock::Timestamp;

use super::window::{Era, Span};
use crate::{Reader, StoreError};

/// A point in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The point: its place in the contract.
    pub point: PointId,
    /// When.
    pub span: Span,
    /// How it stood.
    pub state: VerdictState,
}

/// Hands on the intervals of a channel in an era of a window, session by session, each when it ends.
/// Intervals of a point never overlap, and leave out what nobody watched.
///
/// # Errors
/// When the store cannot be read.
pub fn intervals(
    reader: &Reader,
    province: &Province,
    channel: &Channel,
    era: &Era,
    mut each: impl FnMut(Interval),
) -> Result<(), StoreError> {
    let station = &province.stations[channel.station.index()];
    let path = (&station.id[..], &province.centres[channel.centre.index()].id[..]);
    let mut points: Vec<Option<(VerdictState, Timestamp)>> = vec![None; station.points.len()];
    for (session, span) in &era.observed {
        let mut end =
            |n: usize, standing: &mut Option<(VerdictState, Timestamp)>, at: Timestamp| {
                if let Some((state, since)) = standing.take().filter(|(_, since)| *since < at) {
                    each(Interval { point: PointId::at(n), span: Span::new(since, at), state });
                }
            };
        reader.judgements(path, *session, (span.from, span.to), |judged| {
            let at = judged.at.max(span.from);
            for run in &judged.runs {
                let first = (run.first as usize).min(points.len());
                let last = ((run.first + run.count) as usize).min(points.len());
                for (n, standing) in (first..last).zip(&mut points[first..last]) {
                    if standing.is_none_or(|(state, _)| state != run.state) {
                        end(n, standing, at);
                        *standing = Some((run.state, at));
                    }
                }
            }
        })?;
        for (n, standing) in points.iter_mut().enumerate() {
            end(n, standing, span.to);
        }
    }
    Ok(())
}
