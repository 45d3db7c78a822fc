//! What the words of the forms mean over a window: *right*, and *operated without staff*.

use config::{PointId, StationId};
use historian::right::{Right, is_leading};
use historian::unmanned::is_needed;
use store::history::Sight;

use super::facts::{ChannelFacts, Facts};

/// How a station was operated over a window.
pub(super) struct Operation {
    /// The contract declares it to be without staff.
    pub(super) declared: bool,
    /// How long the centre in charge saw every signal of priority A.
    pub(super) sight: Sight,
    /// Whether it was operated without staff: declared, and seen for long enough; `None` when nobody watched, or
    /// the templates name no such signal.
    pub(super) operated: Option<bool>,
    /// The signals of priority A that were not live, and for how many milliseconds: the longest first.
    pub(super) lost: Vec<(PointId, i64)>,
}

impl Facts {
    /// Whether the signals of a channel were right over the window: the definition of the screens, over time.
    pub(super) fn right(&self, channel: &ChannelFacts) -> Right {
        let station = &self.province.stations[self.channel(channel.id).station.index()];
        let points = channel.points.iter().enumerate().filter(|(n, _)| is_leading(station, *n));
        Right::of(channel.times().right_share(), points.map(|(_, own)| own.times.right_share()))
    }

    /// How a station was operated.
    pub(super) fn operation(&self, id: StationId) -> Operation {
        let station = &self.province.stations[id.index()];
        let own = self.of_station(id).find(|c| self.channel(c.id).centre == station.in_charge);
        let sight: Sight =
            own.map(|channel| channel.sights.iter().copied().sum()).unwrap_or_default();
        let seen = sight.share().reaches(self.province.unmanned_seen);
        let mut lost: Vec<(PointId, i64)> = Vec::new();
        if let Some(channel) = own {
            let entries = station.points.iter().zip(&self.channel(channel.id).entries);
            let points = entries.zip(&channel.points).enumerate();
            let needed = points.filter(|(_, ((point, entry), _))| is_needed(point, entry));
            let down =
                needed.map(|(n, (_, own))| (PointId::at(n), own.times.not_live.iter().sum()));
            lost = down.filter(|(_, ms)| *ms > 0).collect();
        }
        lost.sort_by_key(|(point, ms)| (std::cmp::Reverse(*ms), *point));
        let declared = station.unmanned;
        Operation { declared, sight, operated: if declared { seen } else { Some(false) }, lost }
    }
}
