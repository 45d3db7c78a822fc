//! `gridwatch show`: how the province stands or stood, from the history that a monitor keeps.

#[cfg(feature = "terminal")]
mod screens;

use std::io::{self, Write as _};
use std::path::PathBuf;

use ::config::{Date, NoInstant, Zone};
use clap::Args;
use gridwatch::clock::Timestamp;
use gridwatch::history::past;
use gridwatch::json;
use gridwatch::store::{Gap, Kept, Reader, Session};

use super::{
    Common, ConfigArg, EXIT_NO_DATA, Failure, Outcome, Stop, own, province_of, say, store_folder,
};
#[cfg(feature = "terminal")]
use screens::ScreenArgs;

#[derive(Args)]
#[command(after_help = own("\
Examples:
  gridwatch show                                 the figures, and why stations fall short
  gridwatch show why HB07                        one station
  gridwatch show stations --lang en              the four verdicts of every station
  gridwatch show signals HB05 --all              every signal with its value
  gridwatch show alarms --at '2022-11-07 14:03'  as it was then, local time of the province
  gridwatch show --at 14:03 --json               one JSON object, that of 'gridwatch monitor --once'

Nothing is asked of a station: it is what 'gridwatch monitor' has judged and kept, up to its last
second, or what 'gridwatch simulate --record' made. A monitor may run beside it.
Exit codes: 0 shown, 1 stopped before it was, 2 usage or configuration, 3 nobody watched then."))]
pub(super) struct ShowArgs {
    /// Province file [default: the built-in province of Hòa Bình]: says where its history is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the history [default: where 'gridwatch monitor' keeps it]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// When, such as '2022-11-07 14:03:05' or 14:03, the last time it was; with an offset (02:30+01:00) where clocks show
    /// it twice [default: when it was last watched]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[cfg(feature = "terminal")]
    #[command(flatten)]
    screen: ScreenArgs,
    /// As one JSON object, whatever the screen
    #[arg(long)]
    #[cfg_attr(feature = "terminal", arg(conflicts_with_all = ["all", "width"]))]
    #[cfg_attr(not(feature = "terminal"), arg(required = true))]
    json: bool,
}

#[cfg_attr(not(feature = "terminal"), expect(unused_variables, reason = "JSON has no language"))]
pub(super) fn run(common: &Common, args: &ShowArgs) -> Outcome {
    let config = ConfigArg { config: args.config.clone(), fleet: None };
    let named = config.province()?;
    let folder = store_folder(args.store.as_ref(), &named)?;
    let _stop = Stop::at_once("stopped before all of it was shown")?;
    let reader = Reader::open(&folder)?;
    province_of(&reader, (&config, &named))?;
    let sessions = reader.sessions()?;
    let Some(last) = sessions.iter().max_by_key(|session| (session.id, session.until)) else {
        return nothing(&sessions, None, None);
    };
    let zone = reader.contract(last.contract)?.province.zone;
    let at = args.at.as_deref().map(|text| moment(text, zone, last.until)).transpose()?;
    let Some(past) = past(&reader, at)? else {
        let kept = reader.gap(Kept::Verdicts)?;
        return nothing(&sessions, at.map(|at| (at, zone)), kept);
    };
    // What is asked for is looked up in the contract of that time.
    #[cfg(feature = "terminal")]
    let page = args.screen.page(&past.snapshot.province)?;
    reader.undisturbed()?;
    #[cfg(feature = "terminal")]
    if !args.json {
        return args.screen.tell(common, (&past, at.is_none()), page);
    }
    say(json::snapshot(&past.snapshot))?;
    Ok(0)
}

/// Reads a moment: a day and a time of day, or a time of day, which is the last such one before `newest`. Behind it may
/// stand its offset, as times have it that come twice.
fn moment(text: &str, zone: Zone, newest: Timestamp) -> Result<Timestamp, Failure> {
    let bad = || {
        let message = format!(
            "'{text}' is no time: write a day and a time of day such as '2022-11-07 14:03:05', or 14:03"
        );
        Failure::Usage(message)
    };
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (Some(Date::read(date).map_err(|_| bad())?), time),
        None => (None, text),
    };
    let place = time.find(['+', '-', 'Z']).unwrap_or(time.len());
    let (time, ahead) = time.split_at(place);
    let zone = if ahead.is_empty() { zone } else { offset(ahead).ok_or_else(bad)? };
    let ms = time_of_day(time).ok_or_else(bad)?;
    if let Some(date) = date {
        let at = zone.instant(date, ms);
        return at.map(Timestamp).map_err(|why| Failure::Usage(format!("--at: {why}")));
    }
    // One that comes twice was there twice, and one that was passed over was there on the day before.
    let today = newest.local_day(zone);
    let shown =
        (today - 2..=today).rev().flat_map(|day| match zone.instant(Date::of_day(day), ms) {
            Ok(at) => vec![at],
            Err(NoInstant::Twice { at: [first, second], .. }) => vec![second, first],
            Err(NoInstant::Skipped { .. } | NoInstant::Day(_)) => Vec::new(),
        });
    shown.map(Timestamp).find(|at| *at <= newest).ok_or_else(bad)
}

/// How far a written time is ahead of UTC: `Z`, `+07:00`, `-03:30`.
fn offset(text: &str) -> Option<Zone> {
    if text == "Z" {
        return Some(Zone::UTC);
    }
    let minutes = i16::try_from(time_of_day(text.get(1..)?)? / 60_000).ok()?;
    Zone::minutes(if text.starts_with('-') { -minutes } else { minutes })
}

/// Milliseconds since midnight of `14:03` or `14:03:05`.
fn time_of_day(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes] => (hours, minutes, "00"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let number = |text: &str, below: i64| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|n| is_number && *n < below)
    };
    let minutes = number(hours, 24)? * 60 + number(minutes, 60)?;
    Some((minutes * 60 + number(seconds, 60)?) * 1_000)
}

/// Says what the store has instead.
fn nothing(sessions: &[Session], at: Option<(Timestamp, Zone)>, gone: Option<Gap>) -> Outcome {
    let mut stderr = io::stderr().lock();
    let Some((at, zone)) = at else {
        writeln!(stderr, "gridwatch: the store is empty: nobody has watched yet")?;
        return Ok(EXIT_NO_DATA);
    };
    let stamp = |at: Timestamp| at.local(zone);
    if let Some(gone) = gone.filter(|gone| gone.from <= at && at < gone.to) {
        let (at, kept) = (stamp(at), stamp(gone.to));
        writeln!(
            stderr,
            "gridwatch: how it stood at {at} is no longer kept: nothing from before {kept} is"
        )?;
        return Ok(EXIT_NO_DATA);
    }
    let is_kept = |session: &Session| gone.is_none_or(|gone| session.until >= gone.to);
    let is_before = |session: &&Session| session.until < at && is_kept(session);
    let before = sessions.iter().rfind(is_before);
    let after = sessions.iter().find(|session| session.from > at);
    let before = before.map(|session| format!("until {}", stamp(session.until)));
    let after = after.map(|session| match gone.filter(|gone| at < gone.from) {
        Some(Gap { from, to }) => {
            format!(
                "from {} on, of which what is from before {} is no longer kept",
                stamp(from),
                stamp(to)
            )
        }
        None => format!("from {} on", stamp(session.from)),
    });
    let watched: Vec<String> = before.into_iter().chain(after).collect();
    let (watched, at) = (watched.join(" and "), stamp(at));
    writeln!(stderr, "gridwatch: nobody watched at {at}; somebody did {watched}")?;
    Ok(EXIT_NO_DATA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_last_such_one() {
        // 14:32:07 of 2022-11-23 in Vietnam.
        let newest = Timestamp(1_669_188_727_240);
        let zone = Zone::hours(7);
        let local = |text: &str| moment(text, zone, newest).ok().map(|at| newest.since(at) / 1_000);
        assert_eq!(local("14:32:07"), Some(0));
        assert_eq!(local("14:00"), Some(32 * 60 + 7));
        assert_eq!(local("14:33"), Some(86_400 - 53));
        assert_eq!(local("2022-11-23 14:31:07"), Some(60));
        assert_eq!(local("2022-11-23T14:33:07"), Some(-59));
        assert_eq!(local("2022-11-23 07:31:07Z"), Some(60));
        assert_eq!(local("2022-11-23 13:01:07+05:30"), Some(60));
        assert_eq!(local("04:01:07-03:30"), Some(60));
        for bad in [
            "2022-11-23 07:31+5",
            "07:31+05:07",
            "07:31Z1",
            "",
            "25:00",
            "14:60",
            "14",
            "14:3",
            "2022-11-31 10:00",
            "yesterday",
            "-1:00",
        ] {
            assert_eq!(local(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_that_comes_twice_or_never_says_so() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let said = |text: &str, newest: Timestamp| match moment(text, berlin, newest) {
            Ok(at) => at.to_string(),
            Err(Failure::Usage(why)) => why,
            Err(_) => "something else".to_owned(),
        };
        // 04:30 on the day that begins winter time, and 04:30 on the one that begins summer time.
        let winter = Timestamp::from_iso("2022-10-30T03:30:00Z").unwrap();
        let summer = Timestamp::from_iso("2022-03-27T02:30:00Z").unwrap();
        for (text, newest, expected) in [
            (
                "2022-10-30 02:30",
                winter,
                "--at: 2022-10-30 02:30:00 comes twice in Europe/Berlin, where clocks are set back: write it \
                 with its offset, '2022-10-30 02:30:00+02:00' or '2022-10-30 02:30:00+01:00'",
            ),
            ("2022-10-30 02:30:00+02:00", winter, "2022-10-30T00:30:00Z"),
            ("2022-10-30 02:30:00+01:00", winter, "2022-10-30T01:30:00Z"),
            ("02:30", winter, "2022-10-30T01:30:00Z"),
            ("02:30", winter.plus(-7_200_001), "2022-10-30T00:30:00Z"),
            ("05:00", winter, "2022-10-29T03:00:00Z"),
            (
                "2022-03-27 02:30",
                summer,
                "--at: there is no 2022-03-27 02:30:00 in Europe/Berlin: clocks are set forward from 2022-03-27 \
                 02:00:00 to 2022-03-27 03:00:00",
            ),
            ("02:30", summer, "2022-03-26T01:30:00Z"),
            ("2022-03-27 03:00", summer, "2022-03-27T01:00:00Z"),
        ] {
            assert_eq!(said(text, newest), expected, "{text}");
        }
    }
}
