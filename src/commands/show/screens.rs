//! What `gridwatch show` has for people: one screen as text.

use ::config::Province;
use clap::{Args, ValueEnum};
use gridwatch::clock::Clock;
use gridwatch::history::Past;
use gridwatch::store::{End, Kept};
use gridwatch::terminal::{self, Page, SnapshotOrigin};

use super::super::{Common, Failure, Outcome, say_lines, site};

/// Which screen.
#[derive(Args)]
pub(super) struct ScreenArgs {
    /// What to show
    #[arg(value_enum, value_name = "SCREEN", default_value = "overview")]
    screen: ScreenArg,
    /// A station: for 'why' the one that is meant, for 'signals' and 'alarms' the only one
    #[arg(value_name = "STATION")]
    station: Option<String>,
    /// With signals: also those that fall short nowhere
    #[arg(long)]
    all: bool,
    /// Columns of a table, 60 to 400
    #[arg(long, value_name = "COLUMNS", default_value = "100", value_parser = clap::value_parser!(u16).range(60..=400))]
    width: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScreenArg {
    /// The figures, and why stations fall short
    Overview,
    /// The four verdicts of every station
    Stations,
    /// Why a station falls short
    Why,
    /// Signals that fall short, or all
    Signals,
    /// Remote metering
    Metering,
    /// Alarms
    Alarms,
}

impl ScreenArgs {
    /// What of a province is to be shown.
    pub(super) fn page(&self, province: &Province) -> Result<Page, Failure> {
        let station = self.station.as_deref().map(|id| site(province, id)).transpose()?;
        let page = match (self.screen, station) {
            (ScreenArg::Overview, None) => Page::Overview,
            (ScreenArg::Stations, None) => Page::Stations,
            (ScreenArg::Metering, None) => Page::Metering,
            (ScreenArg::Why, Some(station)) => Page::Why(station),
            (ScreenArg::Why, None) => {
                let message = "say which station, such as 'gridwatch show why HB07'";
                return Err(Failure::Usage(message.to_owned()));
            }
            (ScreenArg::Signals, station) => Page::Signals { station, all: self.all },
            (ScreenArg::Alarms, station) => Page::Alarms(station),
            (ScreenArg::Overview | ScreenArg::Stations | ScreenArg::Metering, Some(_)) => {
                let message =
                    "only why, signals and alarms are of one station; leave the station away";
                return Err(Failure::Usage(message.to_owned()));
            }
        };
        if self.all && self.screen != ScreenArg::Signals {
            return Err(Failure::Usage("--all is for 'gridwatch show signals'".to_owned()));
        }
        Ok(page)
    }

    /// Shows it; `is_newest`: nobody asked for an earlier moment.
    pub(super) fn tell(
        &self,
        common: &Common,
        (past, is_newest): (&Past, bool),
        page: Page,
    ) -> Outcome {
        let (lang, width) = (common.lang(), usize::from(self.width));
        let text = terminal::page(&past.snapshot, page, (lang, common.ascii), width);
        let origin = SnapshotOrigin {
            until: past.session.until,
            has_ended: past.session.end == End::Closed,
            unwatched: past.unwatched.iter().map(|span| (span.from, span.to)).collect(),
            kept_from: past.kept.of(Kept::Verdicts).filter(|from| *from == past.session.from),
            values_from: past.kept.of(Kept::Values).filter(|from| past.snapshot.at < *from),
            // Of an earlier moment nobody expects that it is still watched.
            now: is_newest.then(|| Clock::system().now()),
        };
        let origin = terminal::origin(&past.snapshot, &origin, (lang, common.ascii));
        say_lines(format_args!("{}\n\n{origin}", text.trim_end()))?;
        Ok(0)
    }
}
