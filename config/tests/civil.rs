//! Days, local clocks and zones, held against the library that knows them and against what is known of some places.

use config::{DAY_MS, Date, NoInstant, Zone};
use jiff::civil;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;

fn date(text: &str) -> Date {
    Date::read(text).expect("a day of the calendar")
}

fn zone(name: &str) -> Zone {
    Zone::named(name).expect("a zone of the database")
}

/// Days of which clocks are set, and how long they are, minutes.
const SET: [(&str, &str, i64); 16] = [
    ("Europe/Berlin", "2022-03-27", 23 * 60),
    ("Europe/Berlin", "2022-10-30", 25 * 60),
    ("Europe/Berlin", "2022-10-29", 24 * 60),
    ("Europe/Berlin", "2026-03-29", 23 * 60),
    // Beyond the table, by the rule at its end.
    ("Europe/Berlin", "2090-10-29", 25 * 60),
    ("America/New_York", "2022-11-06", 25 * 60),
    // By half an hour.
    ("Australia/Lord_Howe", "2022-10-02", 23 * 60 + 30),
    ("Australia/Lord_Howe", "2022-04-03", 24 * 60 + 30),
    // At midnight: the day begins at 01:00, or the one before has 23:00 twice.
    ("America/Sao_Paulo", "2018-11-04", 23 * 60),
    ("America/Sao_Paulo", "2018-02-17", 25 * 60),
    // A minute after midnight: that minute is of the new day, and so is the hour that comes again.
    ("America/St_Johns", "2010-11-06", 24 * 60),
    ("America/St_Johns", "2010-11-07", 25 * 60),
    // A day that nobody there has lived.
    ("Pacific/Apia", "2011-12-30", 0),
    ("Pacific/Apia", "2011-12-31", 24 * 60),
    ("Asia/Kathmandu", "1986-01-01", 23 * 60 + 45),
    ("Asia/Ho_Chi_Minh", "2022-03-27", 24 * 60),
];

#[test]
fn days_are_as_long_as_clocks_make_them() {
    for (name, day, minutes) in SET {
        let number = date(day).number().unwrap();
        assert_eq!(zone(name).day_ms(number), minutes * 60_000, "{name} {day}");
        assert_eq!(zone(name).half_hours(number), minutes / 30, "{name} {day}");
    }
    let spring = date("2022-03-27").number().unwrap();
    let begins = zone("Europe/Berlin").day_begins(spring);
    assert_eq!(config::utc_text(begins), "2022-03-26T23:00:00.000Z");
    assert_eq!(config::utc_instant("2022-03-26T23:00:00Z"), Some(begins));
    assert_eq!(zone("Europe/Berlin").shows(spring, 6 * HOUR_MS) - begins, 5 * HOUR_MS);
    assert_eq!(zone("Europe/Berlin").shows(spring, 24 * HOUR_MS) - begins, 23 * HOUR_MS);
}

#[test]
fn what_a_clock_shows_is_one_instant_or_the_message_says_why_not() {
    let berlin = zone("Europe/Berlin");
    let at = |day: &str, hour: i64, minute: i64| {
        berlin.instant(date(day), hour * HOUR_MS + minute * 60_000)
    };
    assert_eq!(
        at("2022-07-01", 12, 0).map(config::utc_text),
        Ok("2022-07-01T10:00:00.000Z".into())
    );
    assert_eq!(
        at("2022-10-30", 2, 30).unwrap_err().to_string(),
        "2022-10-30 02:30:00 comes twice in Europe/Berlin, where clocks are set back: write it with its offset, \
         '2022-10-30 02:30:00+02:00' or '2022-10-30 02:30:00+01:00'"
    );
    assert_eq!(
        at("2022-03-27", 2, 30).unwrap_err().to_string(),
        "there is no 2022-03-27 02:30:00 in Europe/Berlin: clocks are set forward from 2022-03-27 02:00:00 to \
         2022-03-27 03:00:00"
    );
    let no_day = Date { year: 2022, month: 2, day: 30 };
    assert_eq!(berlin.instant(no_day, 0), Err(NoInstant::Day(no_day)));
    assert_eq!(
        Zone::hours(7).instant(date("2022-10-30"), 0).map(config::utc_text).unwrap(),
        "2022-10-29T17:00:00.000Z"
    );
}

#[test]
fn zones_are_quarters_of_an_hour_or_have_a_name() {
    for (minutes, text, offset) in [
        (420, "UTC+07:00", "+07:00"),
        (330, "UTC+05:30", "+05:30"),
        (345, "UTC+05:45", "+05:45"),
        (-210, "UTC-03:30", "-03:30"),
        (0, "UTC", "+00:00"),
    ] {
        let zone = Zone::minutes(minutes).unwrap();
        assert_eq!((zone.to_string(), zone.offset_text(0)), (text.to_owned(), offset.to_owned()));
    }
    for none in [-735, 855, 7, i16::MIN] {
        assert_eq!(Zone::minutes(none), None, "{none}");
    }
    assert_eq!(Zone::named("europe/berlin"), None, "names are written as they are");
    assert!(Zone::names().count() > 400);
    let berlin = zone("Europe/Berlin");
    let summer = config::utc_instant("2022-07-01T00:00:00Z").unwrap();
    assert_eq!(
        (berlin.offset_text(summer), berlin.offset_text(0)),
        ("+02:00".into(), "+01:00".into())
    );
    assert!(berlin.changes() && !zone("Asia/Ho_Chi_Minh").changes() && !Zone::UTC.changes());
    assert_eq!(zone("Asia/Ho_Chi_Minh").ahead_hours(summer).to_string(), "7");
}

#[test]
fn dates_have_numbers_and_months_have_ends() {
    for (text, number, ends) in [
        ("1970-01-01", 0, 31),
        ("2022-11-23", 19_319, 30),
        ("2024-02-29", 19_782, 29),
        ("2100-02-01", 47_513, 28),
        ("1969-12-31", -1, 31),
        ("9999-12-31", 2_932_896, 31),
    ] {
        let day = date(text);
        assert_eq!((day.number(), Date::of_day(number)), (Some(number), day));
        assert_eq!(day.month_ends().day, ends);
    }
    assert_eq!(Date { year: 2022, month: 13, day: 1 }.number(), None);
    for (at, text) in [
        (1_669_188_727_240, "2022-11-23T07:32:07.240Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(config::utc_text(at), text);
    }
    assert_eq!(config::utc_instant("2022-11-23T07:32:07.240Z"), Some(1_669_188_727_240));
    for text in ["2022-11-23T07:32:07", "2022-11-23T07:32:07+07:00", "2022-11-31T00:00:00Z", ""] {
        assert_eq!(config::utc_instant(text), None, "{text}");
    }
    // Instants beyond all years are no reason to fail.
    for at in [i64::MIN, i64::MAX] {
        for zone in [Zone::hours(7), zone("Europe/Berlin")] {
            assert_eq!(zone.local(at).date, date("1970-01-01"));
            zone.day_begins(zone.day(at));
        }
    }
}

proptest! {
    /// Days of any zone follow each other: each begins where the one before ends, and has just the instants that are
    /// said to be of it. The library says the same of their beginnings and of what clocks show.
    #[test]
    fn days_part_time_in_every_zone(place in 0_usize..400, day in 0_i64..47_000, within in 0.0..1.0_f64) {
        let name = Zone::names().nth(place * Zone::names().count() / 400).unwrap();
        let (own, rules) = (zone(name), TimeZoneDatabase::bundled().get(name).unwrap());
        let (begins, ends) = (own.day_begins(day), own.day_begins(day + 1));
        prop_assert!(begins <= ends, "{name}");
        let first = civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
        let library = rules.to_ambiguous_zoned_datetime(first.at(0, 0, 0, 0)).compatible().unwrap();
        prop_assert_eq!(begins, library.timestamp().as_millisecond(), "{}", name);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a day")]
        let at = begins + ((ends - begins) as f64 * within) as i64;
        if begins < ends {
            prop_assert_eq!([begins, at, ends - 1].map(|at| own.day(at)), [day; 3], "{}", name);
            prop_assert!(own.day(ends) > day);
        }
        let shown = jiff::Timestamp::from_millisecond(at).unwrap().to_zoned_datetime(rules);
        prop_assert_eq!(own.local(at).to_millisecond(), shown.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string());
        let (offset, of_library) = (own.offset_text(at), shown.strftime("%:z").to_string());
        prop_assert_eq!(offset.get(..6), of_library.get(..6));
        // What a clock shows leads back to its instant, or to one that shows the same.
        let local = own.local(at);
        let of_day = at + own.ahead_ms(at) - DAY_MS * local.date.number().unwrap();
        match own.instant(local.date, of_day) {
            Ok(found) => prop_assert_eq!(found, at),
            Err(NoInstant::Twice { at: both, .. }) => prop_assert!(both.contains(&at)),
            Err(other) => prop_assert!(false, "{}: {}", name, other),
        }
    }
}
