//! Each station at each centre: what the two forms say of it in words, in figures.

use historian::counts::Share;
use historian::right::Right;
use historian::snapshot::LinkState;
use historian::verdict::Reason;
use words::places::{Form, places};

use super::{DECIMALS, titled};
use crate::facts::{ChannelFacts, Facts};
use crate::sheets::{Cell, Holds, Mark, Sheet, SheetPart, Table};

impl Facts {
    /// Required, mapped and tested points of a channel, by the contract at the end of the period.
    pub(super) fn structure(&self, channel: &ChannelFacts) -> (u64, u64, u64) {
        let entries = self.channel(channel.id).entries.iter().filter(|entry| entry.required);
        let mut counts = (0, 0, 0);
        for entry in entries {
            counts.0 += 1;
            match entry.standing {
                config::Standing::Tested(_) => {
                    counts.1 += 1;
                    counts.2 += 1;
                }
                config::Standing::Untested(_) => counts.1 += 1,
                config::Standing::Absent(_) | config::Standing::Elsewhere => {}
            }
        }
        counts
    }

    /// Every required point is in the database and has a valid end-to-end record.
    pub(super) fn is_full(&self, channel: &ChannelFacts) -> bool {
        let (required, _, tested) = self.structure(channel);
        required > 0 && tested == required
    }
}

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut columns = facts.head_columns();
    columns.extend([
        words.column("signals", "Tín hiệu", "Signals", 10),
        words.column("required", "Bắt buộc", "Required", 9),
        words.column("missing", "Chưa có", "Missing", 9),
        words.column("untested", "Chưa E2E", "Untested", 9),
        words.column("right", "Đúng", "Right", 12),
        words
            .column("right_share", "Tín hiệu đúng", "Right signals", 11)
            .holding(Holds::TimeShares),
        words.column("live", "Sống", "Live", 10).holding(Holds::TimeShares),
        words
            .column("live_raw", "Sống, kể cả loại trừ", "Live, exclusions counted", 10)
            .holding(Holds::TimeShares),
        words.column("declared", "KNT khai báo", "Declared unmanned", 9),
        words.column("unmanned", "KNT thực tế", "Observed unmanned", 14),
        words
            .column("a_seen", "Đủ tín hiệu ưu tiên A", "All priority A live", 11)
            .holding(Holds::TimeShares),
        words.column("a_lost", "Tín hiệu ưu tiên A bị mất", "Priority A not live", 24),
        words.column("cause", "Nguyên nhân", "Cause", 44),
    ]);
    let table = Table {
        id: "stations",
        caption: words.say("Trạm × trung tâm", "Stations × centres"),
        columns,
        rows: facts.channels.iter().map(|channel| row(facts, channel)).collect(),
        total: None,
    };
    titled(
        "stations",
        words.say("Trạm × trung tâm", "Stations × centres"),
        vec![SheetPart::Table(table)],
    )
}

/// Whether a centre receives all signals of a station: `đủ`, `thiếu`, `chưa có`.
pub(super) fn signals_verdict(facts: &Facts, channel: &ChannelFacts) -> Cell {
    let words = facts.words();
    let (required, mapped, tested) = facts.structure(channel);
    match (mapped, tested) {
        (0, _) => Cell::Verdict(Mark::Bad, words.say("chưa có", "none yet")),
        (_, tested) if tested == required => Cell::Verdict(Mark::Good, words.say("đủ", "full")),
        _ => Cell::Verdict(Mark::Bad, words.say("thiếu", "not full")),
    }
}

/// How a link stood at the end.
pub(super) fn link_verdict(facts: &Facts, channel: &ChannelFacts) -> Cell {
    let words = facts.words();
    match channel.link.last {
        Some(LinkState::Connected) => {
            Cell::Verdict(Mark::Good, words.say("đang kết nối", "connected"))
        }
        Some(LinkState::Lost) => Cell::Verdict(Mark::Bad, words.say("mất kết nối", "lost")),
        Some(LinkState::NeverConnected) => {
            Cell::Verdict(Mark::Bad, words.say("chưa có kết nối", "never connected"))
        }
        None => Cell::Verdict(Mark::Doubt, words.say("không theo dõi", "not watched")),
    }
}

/// Whether signals were right: at every centre of these, as on the screens.
pub(super) fn right_verdict(facts: &Facts, channels: &[&ChannelFacts]) -> Cell {
    let words = facts.words();
    match channels.iter().map(|channel| facts.right(channel)).max() {
        Some(Right::Right | Right::Wrong) if !facts.is_enough_watched() => {
            words.not_enough_watched()
        }
        Some(Right::Right) => Cell::Verdict(Mark::Good, words.say("đúng", "right")),
        Some(Right::Wrong) => Cell::Verdict(Mark::Bad, words.say("chưa đúng", "wrong")),
        Some(Right::NotEvaluated) | None => {
            Cell::Verdict(Mark::Doubt, words.say("chưa đánh giá", "not evaluated"))
        }
    }
}

fn row(facts: &Facts, channel: &ChannelFacts) -> Vec<Cell> {
    let (required, mapped, tested) = facts.structure(channel);
    let times = channel.times();
    let mut row = facts.heads(channel).to_vec();
    row.extend([
        signals_verdict(facts, channel),
        Cell::Count(required),
        Cell::Count(required - mapped),
        Cell::Count(mapped - tested),
        right_verdict(facts, &[channel]),
        Cell::TimeShare(times.right_share(), DECIMALS, None),
        Cell::TimeShare(times.live_share(), DECIMALS, None),
        Cell::TimeShare(times.live_share_raw(), DECIMALS, None),
    ]);
    row.extend(operation(facts, channel));
    row.push(super::text(&cause(facts, channel)));
    row
}

/// Signals that are named of those that were not live; the worst are first.
const LOST_NAMED: usize = 5;

/// How the station was operated, in the row of the centre in charge.
fn operation(facts: &Facts, channel: &ChannelFacts) -> [Cell; 4] {
    let words = facts.words();
    let contract = facts.channel(channel.id);
    let station = facts.station(contract);
    if contract.centre != station.in_charge {
        return [const { Cell::Empty }; 4];
    }
    let operation = facts.operation(contract.station);
    let declared =
        if operation.declared { words.say("có", "yes") } else { words.say("không", "no") };
    let observed = match operation.operated {
        Some(_) if operation.declared && !facts.is_enough_watched() => words.not_enough_watched(),
        Some(true) => Cell::Verdict(Mark::Good, words.say("không người trực", "unmanned")),
        Some(false) if operation.declared => {
            Cell::Verdict(Mark::Bad, words.say("không đủ quan sát", "not seen well enough"))
        }
        Some(false) => Cell::Empty,
        None => Cell::Verdict(Mark::Doubt, words.say("chưa đánh giá", "not evaluated")),
    };
    let named: Vec<config::PointId> =
        operation.lost.iter().take(LOST_NAMED).map(|(point, _)| *point).collect();
    let more = operation.lost.len().saturating_sub(LOST_NAMED);
    let lost = places(station, &named, Form::Full, facts.lang);
    let lost = match more {
        0 => lost,
        more => words.say(
            &format!("{lost} và {more} tín hiệu nữa: xem trang Tín hiệu thiếu"),
            &format!("{lost} and {more} more: see the sheet Missing signals"),
        ),
    };
    [
        Cell::Text(declared),
        observed,
        Cell::TimeShare(operation.sight.share(), DECIMALS, None),
        super::text(&lost),
    ]
}

/// Signals that are missing or untested, how many and where.
pub(super) fn issues(facts: &Facts, channel: &ChannelFacts) -> Vec<String> {
    let contract = facts.channel(channel.id);
    let station = facts.station(contract);
    let mut causes = Vec::new();
    for (reason, is_it) in [
        (Reason::NotInDatabase, is_absent as fn(&config::Standing) -> bool),
        (Reason::NoE2eRecord, is_untested),
    ] {
        let entries = contract.entries.iter().enumerate();
        let points: Vec<config::PointId> = entries
            .filter(|(_, entry)| entry.required && is_it(&entry.standing))
            .map(|(n, _)| config::PointId::at(n))
            .collect();
        if !points.is_empty() {
            let places = places(station, &points, Form::Full, facts.lang);
            causes.push(format!("{} {}: {places}", reason.text(facts.lang), points.len()));
        }
    }
    causes
}

/// What is missing or untested, then what kept most signals from being live.
fn cause(facts: &Facts, channel: &ChannelFacts) -> String {
    let mut causes = issues(facts, channel);
    let times = channel.times();
    let worst = Reason::ALL.iter().filter(|reason| !reason.is_structural());
    let worst = worst.max_by_key(|reason| times.not_live[**reason as usize]);
    let all: i64 = Reason::ALL
        .iter()
        .filter(|r| !r.is_structural())
        .map(|r| times.not_live[*r as usize])
        .sum();
    if let Some(reason) = worst.filter(|reason| times.not_live[**reason as usize] > 0) {
        let share = Share::new(times.not_live[*reason as usize].unsigned_abs(), all.unsigned_abs());
        let percent = words::format::percent(share, 0, None, facts.lang);
        let of = facts.words().say("thời gian không sống", "of the time not live");
        causes.push(format!("{}: {percent} {of}", reason.text(facts.lang)));
    }
    causes.join("; ")
}

fn is_absent(standing: &config::Standing) -> bool {
    matches!(standing, config::Standing::Absent(_))
}

fn is_untested(standing: &config::Standing) -> bool {
    matches!(standing, config::Standing::Untested(_))
}
