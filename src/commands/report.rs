//! `gridwatch report`: what a month was like, as the form that is filed.

use std::path::PathBuf;

use ::config::{Date, Province, Zone};
use clap::Args;
use gridwatch::report::period::Period;
use gridwatch::report::{ReportFormat, ReportRequest, report, write};
use gridwatch::store::{Gap, Kept, Reader, Session, StoreError};

use super::bar::Bar;
use super::export::CsvStyle;
use super::{
    Common, ConfigArg, EXIT_NO_DATA, Failure, NOTHING_WRITTEN, Outcome, Stop, note, province_of,
    say, store_folder, unknown,
};

#[derive(Args)]
#[command(after_help = "\
Examples:
  gridwatch report --month 2022-11 --out thang-11.xlsx
  gridwatch report --month 2022-11 --out thang-11.html --lang vi
  gridwatch report config/hoa-binh.toml --store /srv/gridwatch --from 2022-11-07 --to 2022-11-13 --out week.json
  gridwatch report --month 2022-11 --station HB07 --out hb07.csv --csv excel-vi
  gridwatch report --quarter 2022-Q3 --out quy-3.xlsx
  gridwatch report --year 2022 --out nam-2022.xlsx

The history is what 'gridwatch monitor' kept, or 'gridwatch simulate --record' made. It is read
as it is now, also while a monitor runs. Days are local ones of the province.
Exit codes: 0 written, 1 stopped, and nothing was written, 2 usage or configuration, 3 nobody watched in
that time.")]
pub(super) struct ReportArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Folder of the history [default: where 'gridwatch monitor' keeps it]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The month, such as 2022-11
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "to"],
        required_unless_present_any = ["from", "quarter", "year"])]
    month: Option<String>,
    /// The quarter, such as 2022-Q3
    #[arg(long, value_name = "QUARTER", conflicts_with_all = ["from", "to", "month"])]
    quarter: Option<String>,
    /// The year, such as 2022
    #[arg(long, value_name = "YEAR", conflicts_with_all = ["from", "to", "month", "quarter"])]
    year: Option<String>,
    /// First day, such as 2022-11-07
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Last day [default: the first one]
    #[arg(long, value_name = "DAY", requires = "from")]
    to: Option<String>,
    /// Only this station
    #[arg(long, value_name = "ID")]
    station: Option<String>,
    /// File to write: its end says how, .xlsx .html .csv or .json
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Day on which its forms are issued, such as 2022-12-02 [default: a line to write it on]
    #[arg(long, value_name = "DAY")]
    issued: Option<String>,
    /// How CSV is written: with comma and point, or as a Vietnamese Excel reads it
    #[arg(long, value_enum, value_name = "STYLE", default_value = "rfc")]
    csv: CsvStyle,
}

pub(super) fn run(common: &Common, args: &ReportArgs) -> Outcome {
    // What cannot be written is said before it is worked out.
    ReportFormat::of(&args.out).map_err(|error| Failure::Usage(error.to_string()))?;
    let issued = args.issued.as_deref().map(Date::read).transpose()?;
    let _stop = Stop::at_once(NOTHING_WRITTEN)?;
    let named = args.config.province()?;
    let folder = store_folder(args.store.as_ref(), &named)?;
    let reader = Reader::open(&folder)?;
    let province = province_of(&reader, (&args.config, &named))?;
    let period = period_of(args, &reader, &province)?;
    if let Some(id) = &args.station {
        find_station(&reader, period, id)?;
    }
    let request = ReportRequest { period, station: args.station.clone(), lang: common.lang() };
    let mut bar = Bar::new();
    let made = report(&reader, &request, |done| bar.show(done));
    bar.clear();
    let Some(mut made) = made? else {
        explain_nothing(&reader, args, period)?;
        return Ok(EXIT_NO_DATA);
    };
    if let Some(day) = issued {
        made.issue(day);
    }
    reader.undisturbed()?;
    let written = write(&made, &args.out, args.csv.into())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    for path in written {
        say(path.display())?;
    }
    Ok(0)
}

/// The period by the local time of its last contract.
fn period_of(args: &ReportArgs, reader: &Reader, newest: &Province) -> Result<Period, Failure> {
    let own = period(args, newest.zone)?;
    let Some(last) = last_within(reader, own)? else { return Ok(own) };
    // Where it cannot be read, whoever asks for what it says is told why.
    let Ok(contract) = reader.contract(last.contract) else { return Ok(own) };
    let of_last = period(args, contract.province.zone)?;
    // On a day that ends before it begins by the one zone and after it by the other, it may have no part.
    let is_of_last = last_within(reader, of_last)?.is_some_and(|own| own.contract == last.contract);
    Ok(if is_of_last { of_last } else { own })
}

/// The last session that touches a period.
fn last_within(reader: &Reader, period: Period) -> Result<Option<Session>, StoreError> {
    let span = period.span();
    let sessions = reader.sessions()?.into_iter();
    let mut own = sessions.filter(|session| session.from < span.to && session.until > span.from);
    Ok(own.next_back())
}

fn period(args: &ReportArgs, zone: Zone) -> Result<Period, Failure> {
    let period = if let Some(year) = &args.year {
        Period::year(year, zone)
    } else if let Some(quarter) = &args.quarter {
        Period::quarter(quarter, zone)
    } else if let Some(from) = &args.from {
        let to = args.to.as_ref().unwrap_or(from);
        Period::days(Date::read(from)?, Date::read(to)?, zone)
    } else {
        // The parser asks for one of them.
        Period::month(args.month.as_deref().unwrap_or_default(), zone)
    };
    period.map_err(|error| Failure::Usage(error.to_string()))
}

/// Refuses a station that the contract does not know by which the period is judged.
fn find_station(reader: &Reader, period: Period, id: &str) -> Result<(), Failure> {
    // Where nobody watched, there is no report.
    let Some(last) = last_within(reader, period)? else { return Ok(()) };
    let province = reader.contract(last.contract)?.province;
    let known = province.substations().iter().map(|station| station.id.as_str());
    let found = province.substations().iter().any(|station| station.id == id);
    if found { Ok(()) } else { Err(unknown("station", id, known)) }
}

/// Says what the store has instead.
fn explain_nothing(reader: &Reader, args: &ReportArgs, period: Period) -> Result<(), Failure> {
    let name = period.name(::config::Lang::En);
    let out = args.out.display();
    let kept = reader.kept_from(Kept::Verdicts)?;
    let span = period.span();
    let gone =
        reader.gap(Kept::Verdicts)?.filter(|gone| gone.from < span.to && gone.to > span.from);
    if let Some(Gap { to: kept, .. }) = gone {
        let whole = kept >= span.to;
        let what = if whole {
            "what there was"
        } else {
            "some of what there was, and nobody watched in the rest"
        };
        let kept = kept.local(period.zone);
        return note(format_args!(
            "gridwatch: no longer kept: {what} in {name}, so '{out}' is not written; nothing of the store is \
             kept from before {kept}"
        ));
    }
    let mut sessions = reader.sessions()?;
    sessions.retain(|session| kept.is_none_or(|kept| session.until >= kept));
    let has = match (sessions.first(), sessions.last()) {
        (Some(first), Some(last)) => {
            let [from, until] = [first.from, last.until].map(|at| at.local(period.zone));
            format!("it has {from} to {until}")
        }
        _ => "it is empty".to_owned(),
    };
    note(format_args!(
        "gridwatch: nobody watched in {name}, so '{out}' is not written; of the store: {has}"
    ))
}
