//! `gridwatch events`: what the units recorded, in the order in which it happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::config::{CentreId, Lang, Province, StationId};
use clap::Args;
use gridwatch::clock::Clock;
use gridwatch::historian::events::{EventCounts, EventEntry, EventLog, Happening};
use gridwatch::historian::snapshot::{ChannelSnapshot, LinkState, Snapshot};
use gridwatch::json;
use gridwatch::monitor::Monitor;
use gridwatch::signal::layout::Content;
#[cfg(feature = "terminal")]
use gridwatch::terminal;

use super::{
    Common, ConfigArg, EXIT_MISSED, EXIT_NO_DATA, Failure, Outcome, own, patience, runtime, say,
    site, start_monitor, stop_wanted, unknown,
};

#[derive(Args)]
#[command(after_help = own("\
Examples:
  gridwatch events                                  what the rings of the units hold
  gridwatch events --station HB04 --follow          and what happens next, until Ctrl-C
  gridwatch events config/hoa-binh.toml --centre A1 as one centre has it
  gridwatch events --json                           one JSON object a line, for a script

Each line is a change of a status with the time at which its unit recorded it, and how much later
it came here; records that were lost have a line of their own, between those round them.
The newest 20 000 of each centre are kept; how many older ones were not is said first.
Exit codes: 0 every ring was read (with --follow: it ended as you wanted), 1 a station or a unit did
not answer or records are not read yet, 2 usage or configuration, 3 no station answered."))]
pub(super) struct EventsArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Only this station
    #[arg(long, value_name = "ID")]
    station: Option<String>,
    /// Only as this centre has it
    #[arg(long, value_name = "ID")]
    centre: Option<String>,
    /// Go on with what happens, in the order in which it comes
    #[arg(long)]
    follow: bool,
    /// End when every ring was read [default]
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// One JSON object a line
    #[arg(long)]
    #[cfg_attr(not(feature = "terminal"), arg(required = true))]
    json: bool,
    /// Longest wait until every ring was read, seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = patience)]
    timeout: Duration,
}

/// What of the events is printed, and how far that has come.
struct Printer<'a> {
    common: &'a Common,
    json: bool,
    follow: bool,
    station: Option<StationId>,
    centre: Option<CentreId>,
    /// Entries of each centre that have been looked at.
    seen: Vec<u64>,
    /// Lost records that were told of, by centre and entry that is still kept: a gap can grow.
    lost: BTreeMap<(usize, u64), u32>,
}

pub(super) fn run(common: &Common, args: &EventsArgs) -> Outcome {
    let province = Arc::new(common.province(&args.config)?);
    let mut printer = Printer::new(common, args, &province)?;
    let runtime = runtime()?;
    let monitor = start_monitor(&runtime, &province, Clock::system(), (None, Vec::new()))?;
    let outcome = runtime.block_on(async {
        let snapshot = monitor.events_read(args.timeout).await;
        #[cfg(feature = "terminal")]
        if !args.json {
            say(terminal::event_head(&snapshot, common.lang()))?;
        }
        printer.print(&snapshot)?;
        if args.follow {
            follow(&monitor, &mut printer).await?;
        }
        let last = Arc::clone(&monitor.news().borrow());
        printer.conclude(if args.follow { &last } else { &snapshot })
    });
    runtime.block_on(monitor.stop());
    outcome
}

/// Prints what comes until the user or the system wants it to end.
async fn follow(monitor: &Monitor, printer: &mut Printer<'_>) -> Result<(), Failure> {
    let mut news = monitor.news();
    let stop = stop_wanted();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            changed = news.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let snapshot = Arc::clone(&news.borrow_and_update());
                printer.print(&snapshot)?;
            }
        }
    }
}

impl<'a> Printer<'a> {
    fn new(common: &'a Common, args: &EventsArgs, province: &Province) -> Result<Self, Failure> {
        let station = args.station.as_deref().map(|id| site(province, id));
        let centre = args.centre.as_deref().map(|id| {
            let ids = province.centres.iter().map(|centre| centre.id.as_str());
            province.centre(id).ok_or_else(|| unknown("centre", id, ids))
        });
        Ok(Self {
            common,
            json: args.json,
            follow: args.follow,
            station: station.transpose()?,
            centre: centre.transpose()?,
            seen: vec![0; province.centres.len()],
            lost: BTreeMap::new(),
        })
    }

    /// Prints what is new, in the order in which it happened.
    fn print(&mut self, snapshot: &Snapshot) -> Result<(), Failure> {
        let mut news: Vec<(usize, EventEntry)> = Vec::new();
        let (mut lost, mut not_kept) = (BTreeMap::new(), 0);
        for (centre, log) in snapshot.events.iter().enumerate() {
            if self.centre.is_some_and(|only| only.index() != centre) {
                continue;
            }
            not_kept += not_kept_since(self.seen[centre], log);
            for entry in log.iter().filter(|entry| self.is_wanted(snapshot, entry)) {
                if let Happening::Lost(gap) = &entry.what {
                    lost.insert((centre, entry.order), gap.count);
                }
                news.extend(self.news_of(centre, *entry));
            }
            self.seen[centre] = log.taken();
        }
        self.lost = lost;
        if not_kept > 0 {
            say(self.not_kept_line(not_kept))?;
        }
        news.sort_by_key(|(centre, entry)| (entry.at, *centre, entry.order));
        for (_, entry) in &news {
            say(self.line(snapshot, entry))?;
        }
        Ok(())
    }

    #[cfg_attr(
        not(feature = "terminal"),
        expect(clippy::unused_self, reason = "JSON is all there is")
    )]
    fn line(&self, snapshot: &Snapshot, entry: &EventEntry) -> String {
        #[cfg(feature = "terminal")]
        if !self.json {
            return terminal::event_line(snapshot, entry, self.common.lang(), self.common.ascii);
        }
        json::event(snapshot, entry)
    }

    /// What is said of entries that were pushed out before they could be printed.
    fn not_kept_line(&self, count: u64) -> String {
        match (self.json, self.common.lang()) {
            (true, _) => format!("{{\"not_kept\":{count}}}"),
            (false, Lang::Vi) => format!("{count} bản ghi cũ hơn không được giữ"),
            (false, Lang::En) => format!("{count} older ones not kept"),
        }
    }

    fn is_wanted(&self, snapshot: &Snapshot, entry: &EventEntry) -> bool {
        let station = snapshot.province.channels[entry.channel.index()].station;
        self.station.is_none_or(|only| only == station)
    }

    /// What of an entry has not been told: all of it, what a gap has grown by, or nothing.
    fn news_of(&self, centre: usize, mut entry: EventEntry) -> Option<(usize, EventEntry)> {
        let Happening::Lost(gap) = &mut entry.what else {
            return (entry.order >= self.seen[centre]).then_some((centre, entry));
        };
        let told = self.lost.get(&(centre, entry.order)).copied();
        // None: it is not known how many, which is told once.
        if gap.count == 0 {
            return (told != Some(0)).then_some((centre, entry));
        }
        gap.count = gap.count.saturating_sub(told.unwrap_or(0));
        (gap.count > 0).then_some((centre, entry))
    }

    /// Says what came in all, and what did not.
    fn conclude(&self, snapshot: &Snapshot) -> Outcome {
        let channels = snapshot.channels.iter().filter(|channel| {
            let contract = channel.contract(&snapshot.province);
            self.station.is_none_or(|only| only == contract.station)
                && self.centre.is_none_or(|only| only == contract.centre)
        });
        let (mut counts, mut up, mut all, mut pending) = (EventCounts::default(), 0, 0, 0_u64);
        let mut read = true;
        for channel in channels {
            all += 1;
            up += u64::from(channel.link.state == LinkState::Connected);
            read &= channel.settled && rings_answer(channel, &snapshot.province);
            counts += channel.event_counts();
            let units = channel.units.iter().filter_map(|unit| unit.events);
            pending += units.map(|events| u64::from(events.pending)).sum::<u64>();
        }
        if !self.json {
            say(summary(counts, pending, (up, all), self.common.lang()))?;
        }
        let all_read = read && up == all && pending == 0;
        Ok(match up {
            0 => EXIT_NO_DATA,
            _ if all_read || self.follow => 0,
            _ => EXIT_MISSED,
        })
    }
}

/// Entries that a log has taken since it was looked at last and has not any more.
fn not_kept_since(seen: u64, log: &EventLog) -> u64 {
    let kept = log.iter().filter(|entry| entry.order >= seen).count() as u64;
    log.taken().saturating_sub(seen).saturating_sub(kept)
}

/// Whether every unit that is asked for records says anything at all.
fn rings_answer(channel: &ChannelSnapshot, province: &Province) -> bool {
    let units = &province.stations[channel.contract(province).station.index()].units;
    let asked = |id| {
        let groups = &channel.layout.groups;
        groups.iter().any(|group| group.device == id && group.content == Content::Events)
    };
    units.iter().zip(&channel.units).all(|(unit, snapshot)| snapshot.answers || !asked(unit.id))
}

fn summary(counts: EventCounts, pending: u64, (up, all): (u64, u64), lang: Lang) -> String {
    let EventCounts { received, lost, uncounted, duplicates } = counts;
    let lost = if uncounted > 0 { format!("≥ {lost}") } else { lost.to_string() };
    let unread = match (lang, pending) {
        (_, 0) => String::new(),
        (Lang::Vi, _) => format!(", {pending} chưa đọc"),
        (Lang::En, _) => format!(", {pending} not read yet"),
    };
    match lang {
        Lang::Vi => format!(
            "{received} bản ghi, {lost} mất, {duplicates} trùng{unread}; {up}/{all} kênh đang kết nối"
        ),
        Lang::En => format!(
            "{received} records, {lost} lost, {duplicates} again{unread}; {up}/{all} channels connected"
        ),
    }
}
