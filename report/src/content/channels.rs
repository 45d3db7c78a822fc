//! The paths: how long they were up, and how asking went.

use historian::counts::Share;
use historian::verdict_log::{EDGES_US, PollStats};
use store::history::FigureRow;

use super::{DECIMALS, titled};
use crate::facts::{ChannelFacts, Facts};
use crate::sheets::{Cell, Holds, Sheet, SheetPart, Table};

pub(super) fn sheet(facts: &Facts) -> Sheet {
    let words = facts.words();
    let mut columns = facts.head_columns();
    columns.extend([
        words.column("available", "Khả dụng", "Available", 12).holding(Holds::TimeShares),
        words.column("losses", "Số lần mất", "Losses", 8),
        words.column("lost", "Thời gian mất", "Time lost", 11).holding(Holds::Times),
        words.column("longest", "Lâu nhất", "Longest", 11).holding(Holds::Times),
        words.column("unobserved", "Không theo dõi", "Not watched", 11).holding(Holds::Times),
        words.column("requests", "Yêu cầu", "Requests", 12),
        words.column("no_reply", "Không trả lời", "No reply", 10),
        words.column("refused", "Từ chối", "Refused", 10),
        words.column("undecodable", "Không giải mã", "Undecodable", 10),
        words.column("missed", "Lỡ nhịp", "Missed slots", 10),
        words.column("p50", "RTT 50 %, ≤ ms", "RTT 50 %, ≤ ms", 10),
        words.column("p95", "RTT 95 %, ≤ ms", "RTT 95 %, ≤ ms", 10),
        words.column("max", "RTT lớn nhất, ms", "RTT longest, ms", 10),
        words.column("known", "Hỏi đáp biết được", "Asking known", 12).holding(Holds::TimeShares),
    ]);
    let table = Table {
        id: "channels",
        caption: words.say("Kênh", "Channels"),
        columns,
        rows: facts.channels.iter().map(|channel| row(facts, channel)).collect(),
        total: None,
    };
    let mut parts = vec![SheetPart::Table(table)];
    parts.extend(facts.unseen_losses());
    titled("channels", words.say("Kênh", "Channels"), parts)
}

impl Facts {
    /// How many losses nobody saw, where there are any.
    pub(super) fn unseen_losses(&self) -> Option<SheetPart> {
        let unseen: u32 = self.channels.iter().map(|channel| channel.link.unseen_losses).sum();
        let note = || {
            self.words().note(
                &format!(
                    "Trong số lần mất có {unseen} lần xảy ra khi không ai theo dõi (ít nhất): kênh còn kết nối \
                     khi ngừng theo dõi, và mất khi theo dõi lại; tính vào lúc thấy mất."
                ),
                &format!(
                    "Of the losses, {unseen} (at least) happened while nobody watched: the link was up when \
                     watching ended, and lost when it began again; they count when they were first seen."
                ),
            )
        };
        (unseen > 0).then(note)
    }
}

fn row(facts: &Facts, channel: &ChannelFacts) -> Vec<Cell> {
    let link = &channel.link;
    let down = link.lost + link.never;
    let up = Share::new(link.connected.unsigned_abs(), (link.connected + down).unsigned_abs());
    let mut row = FigureRow::new();
    for head in facts.heads(channel) {
        row.cell(head);
    }
    row.cell(Cell::TimeShare(up, DECIMALS, None)).cell(Cell::Count(link.losses.into()));
    for time in [down, link.longest, link.unobserved] {
        row.cell(Cell::Duration(time));
    }
    let counts: [fn(&PollStats) -> u64; 5] = [
        PollStats::requests,
        |asked| asked.faults[0],
        |asked| asked.faults[1],
        |asked| asked.faults[2],
        |asked| asked.missed,
    ];
    for count in counts {
        row.add(&channel.asked, |asked| Cell::Count(count(asked)));
    }
    row.add(&channel.asked, |asked| not_longer_than(asked, 50));
    row.add(&channel.asked, |asked| not_longer_than(asked, 95));
    row.add(&channel.asked, longest).known();
    // Nothing else is to be said of asking.
    row.apart().0
}

/// The longest round trip; nothing where there was no reply.
fn longest(asked: &PollStats) -> Cell {
    if asked.replies.iter().any(|count| *count > 0) {
        Cell::Number(f64::from(asked.longest_us) / 1_000.0, 1)
    } else {
        Cell::Empty
    }
}

/// The edge that so many per cent of the round trips did not pass.
fn not_longer_than(asked: &PollStats, percent: u64) -> Cell {
    let all: u64 = asked.replies.iter().sum();
    let mut passed = 0;
    for (count, edge) in asked.replies.iter().zip(EDGES_US) {
        passed += count;
        if all > 0 && passed * 100 >= all * percent {
            return Cell::Number(f64::from(edge) / 1_000.0, 1);
        }
    }
    Cell::Empty
}
