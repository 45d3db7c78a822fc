//! What a screen is drawn from: a snapshot, the present, and how the operator wants to see it.

use config::{CentreId, Lang, Province, Station, StationId};
use historian::counts::Share;
use historian::snapshot::{LinkState, Snapshot};
use historian::verdict::Since;
use signal::clock::Timestamp;

use super::format::{self, Moment};
use super::paint::Row;
use super::texts::Text;
use super::theme::Theme;

/// Everything that the screens read. They read nothing else, no clock either.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    /// The snapshot that is shown.
    pub(crate) snapshot: &'a Snapshot,
    /// The present: ages are counted to here.
    pub(crate) now: Timestamp,
    /// Language.
    pub(crate) lang: Lang,
    /// Theme.
    pub(crate) theme: Theme,
    /// The centre whose counts stand where there is room for one.
    pub(crate) basis: CentreId,
    /// No snapshot has come for too long: nothing of it may look live.
    pub(crate) down: bool,
    /// The command that starts the simulated stations.
    pub(crate) simulate: &'a str,
    /// Keys can be pressed: a text has none.
    pub(crate) keys: bool,
}

impl<'a> View<'a> {
    /// The contract.
    pub(crate) fn province(&self) -> &'a Province {
        &self.snapshot.province
    }

    /// A station of the contract.
    pub(crate) fn station(&self, id: StationId) -> &'a Station {
        &self.province().stations[id.index()]
    }

    /// The substation or plant that a list is of; of none in particular: every substation.
    pub(crate) fn sites(&self, only: Option<StationId>) -> Vec<StationId> {
        only.map_or_else(|| self.province().station_ids().collect(), |only| vec![only])
    }

    /// Id and name of a station.
    pub(crate) fn station_name(&self, id: StationId) -> String {
        let station = self.station(id);
        format!("{} {}", station.id, station.name.get(self.lang))
    }

    /// A text.
    pub(crate) fn t(&self, text: Text) -> &'static str {
        text.get(self.lang)
    }

    /// The Vietnamese or the English text.
    pub(crate) fn say(&self, vi: &'static str, en: &'static str) -> &'static str {
        match self.lang {
            Lang::Vi => vi,
            Lang::En => en,
        }
    }

    /// An empty row.
    pub(crate) fn row(&self) -> Row {
        Row::new(self.theme)
    }

    /// A count.
    pub(crate) fn count(&self, n: u64) -> String {
        format::count(n, self.lang)
    }

    /// Both counts of a share.
    pub(crate) fn share(&self, share: Share) -> String {
        format::share(share, self.lang)
    }

    /// A share in per cent, two decimals, without the sign.
    pub(crate) fn percent(&self, share: Share) -> String {
        format::percent_digits(share, 2, None, self.lang)
    }

    /// Where and when the operator stands.
    pub(crate) fn moment(&self) -> Moment {
        Moment { now: self.now, zone: self.province().zone, lang: self.lang }
    }

    /// ` (15 s)`: how long something has been so, as far as somebody has watched; nothing of what the contract says.
    pub(crate) fn lasted(&self, since: Since) -> String {
        since.instant().map_or_else(String::new, |at| format!(" ({})", self.age(at)))
    }

    /// Since when.
    pub(crate) fn since(&self, since: Since) -> String {
        self.moment().since(since)
    }

    /// How long ago.
    pub(crate) fn age(&self, at: Timestamp) -> String {
        format::age(self.now.since(at), self.lang)
    }

    /// Short name of a centre.
    pub(crate) fn centre(&self, id: CentreId) -> &'a str {
        self.province().centres[id.index()].name.get(self.lang)
    }

    /// Every centre, the one with the smallest required set first: the order of columns.
    pub(crate) fn centres(&self) -> Vec<CentreId> {
        let mut centres: Vec<CentreId> = self.province().centre_ids().collect();
        centres.sort_by_key(|id| self.snapshot.centres[id.index()].counts.required);
        centres
    }

    /// The two centres for which tables have columns: the basis and one beside it.
    pub(crate) fn pair(&self) -> Vec<CentreId> {
        let centres = self.centres();
        let other = centres.iter().copied().find(|centre| *centre != self.basis);
        centres.into_iter().filter(|c| *c == self.basis || Some(*c) == other).collect()
    }

    /// Whether every block of a station has been asked once, so that verdicts can be given.
    pub(crate) fn settled(&self, station: StationId) -> bool {
        self.snapshot.settled(station)
    }

    /// Whether the first scan is still going on.
    pub(crate) fn starting(&self) -> bool {
        self.snapshot.first_scan().lacking() > 0
    }

    /// Whether no station has ever answered, although all were tried.
    pub(crate) fn nobody_ever(&self) -> bool {
        let never = |link: LinkState| link == LinkState::NeverConnected;
        !self.starting() && self.snapshot.channels.iter().all(|c| never(c.link.state))
    }
}

/// The centre with the largest required set: where a screen begins.
pub(crate) fn widest_centre(snapshot: &Snapshot) -> CentreId {
    let required = |id: &CentreId| snapshot.centres[id.index()].counts.required;
    // The last of equals would win; reversing lets the first of the contract do so.
    let mut centres: Vec<CentreId> = snapshot.province.centre_ids().collect();
    centres.reverse();
    centres.into_iter().max_by_key(required).unwrap_or(CentreId(0))
}
