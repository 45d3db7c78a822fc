//! What is shown of a signal's value: nothing that is not fresh is shown as one.

use config::{CentreId, Standing};
use historian::snapshot::LinkState;
use historian::verdict::Reason;

use super::SignalId;
use crate::format::{self, UNKNOWN};
use crate::view::View;

/// The centre whose reading of a signal is shown: the basis, unless it does not get the signal.
pub(crate) fn reader(view: &View<'_>, (station, point): SignalId) -> CentreId {
    let entry =
        |centre: &CentreId| &view.province().channel(station, *centre).entries[point.index()];
    if entry(&view.basis).is_mapped() {
        return view.basis;
    }
    let mut centres = view.province().centre_ids();
    centres.find(|centre| entry(centre).is_mapped()).unwrap_or(view.basis)
}

/// A value as a table shows it.
pub(crate) struct Shown {
    /// The value, or what stands for one that is not known now.
    pub(crate) value: String,
    /// Letter of its quality; `None` when good.
    pub(crate) mark: Option<char>,
    pub(crate) age: String,
}

impl Shown {
    /// What is known of a signal now. Nothing that is not fresh is shown as a value.
    pub(crate) fn of(view: &View<'_>, id: SignalId) -> Self {
        let (station, point) = id;
        let channel = view.snapshot.channel(station, reader(view, id));
        let seen = &channel.points[point.index()];
        let contract = &view.station(station).points[point.index()];
        let standing = &channel.contract(view.province()).entries[point.index()].standing;
        let mapped = !matches!(standing, Standing::Elsewhere | Standing::Absent(_));
        let age = seen.at.filter(|_| mapped).map_or_else(String::new, |at| view.age(at));
        if !mapped || contract.spec.kind.is_command() {
            return Self { value: "·".to_owned(), mark: None, age: String::new() };
        }
        let unknown = |mark| Self { value: UNKNOWN.to_owned(), mark: Some(mark), age: age.clone() };
        if !channel.settled && seen.value.is_none() {
            return Self { value: UNKNOWN.to_owned(), mark: None, age };
        }
        if channel.link.state != LinkState::Connected {
            return unknown(Reason::NoLink.mark());
        }
        if view.down {
            return unknown(Reason::Old.mark());
        }
        let mark = match seen.not_live {
            // These have a value, only one that cannot be trusted.
            Some(
                reason @ (Reason::Intermediate
                | Reason::OutOfRange
                | Reason::Frozen
                | Reason::Inconsistent),
            ) => Some(reason.mark()),
            Some(reason) => return unknown(reason.mark()),
            None => seen.finding.map(|_| Reason::Inconsistent.mark()),
        };
        let Some(value) = seen.value else { return unknown(Reason::NeverSeen.mark()) };
        Self { value: format::value(contract, value, view.lang), mark, age }
    }
}
