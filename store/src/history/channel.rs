//! What a window was like for one station as one centre sees it.

use std::ops::AddAssign;

use config::{Channel, Province};
use historian::snapshot::LinkState;
use historian::unmanned::is_needed;
use historian::verdict::{Sighted, Since};
use historian::verdict_log::VerdictState;
use signal::clock::{DAY_MS, Timestamp};

use super::account::{Account, PointSeen, Times};
use super::sight::{Sight, SightFold};
use super::window::{Era, Span, Window};
use crate::{Judged, Kept, Reader, StoreError};

/// A channel over a stretch of a window in which one contract held.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelHistory {
    /// All required points together, for each part of the window.
    pub parts: Vec<Times>,
    /// How long every signal was live on which a station without staff depends, for each part of the window.
    pub sights: Vec<Sight>,
    /// The path.
    pub link: LinkHistory,
    /// Each point of the station, in the order of the contract.
    pub points: Vec<PointHistory>,
}

/// A point over a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PointHistory {
    /// How long it was in which state; nothing when the centre does not require it.
    pub times: Times,
    /// How often it was live no more.
    pub outages: u32,
    /// Its state at the end of what was observed, and since when it is live, or not for this reason; at least since
    /// the first moment of the window or its contract, when it was so before. Where nobody watched for a while, and it
    /// was so before and afterwards, it is so since before.
    pub last: Option<(VerdictState, Since)>,
}

/// A path over a window, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkHistory {
    /// The station answered.
    pub connected: i64,
    /// It did before, and did not.
    pub lost: i64,
    /// It had not yet since somebody began to watch.
    pub never: i64,
    /// Nobody watched.
    pub unobserved: i64,
    /// No longer kept.
    pub not_kept: i64,
    /// How often it was lost. What was connected when somebody last watched, and not when somebody watched again, was
    /// lost in between, once at least: it counts where that was seen first.
    pub losses: u32,
    /// Of these, how many nobody saw.
    pub unseen_losses: u32,
    /// Longest time without a connection, as long as nobody saw one in between; what nobody watched is not in it.
    pub longest: i64,
    /// How it stood at the end of what was observed.
    pub last: Option<LinkState>,
}

impl AddAssign for LinkHistory {
    /// Adds what came behind.
    fn add_assign(&mut self, later: Self) {
        self.connected += later.connected;
        self.lost += later.lost;
        self.never += later.never;
        self.unobserved += later.unobserved;
        self.not_kept += later.not_kept;
        self.losses += later.losses;
        self.unseen_losses += later.unseen_losses;
        self.longest = self.longest.max(later.longest);
        self.last = later.last.or(self.last);
    }
}

impl ChannelHistory {
    /// All parts together.
    pub fn times(&self) -> Times {
        self.parts.iter().sum()
    }
}

/// Works out how a channel of a contract fared in an era of a window.
///
/// # Errors
/// When the store cannot be read.
pub fn channel_history(
    reader: &Reader,
    province: &Province,
    channel: &Channel,
    window: &Window,
    era: &Era,
) -> Result<ChannelHistory, StoreError> {
    let station = &province.stations[channel.station.index()];
    let centre = &province.centres[channel.centre.index()];
    let accounts = station.points.iter().zip(&channel.entries);
    let accounts: Vec<Account> =
        accounts.map(|(point, entry)| Account::new(entry, point.spec.kind.is_command())).collect();
    let points = station.points.iter().zip(&channel.entries);
    let needed = points.map(|(point, entry)| is_needed(point, entry)).collect();
    let mut fold = Fold::new(window, accounts, needed, era.span.from);
    fold.leave_out(window.not_kept(Kept::Verdicts).and(era.span));
    let mut ended = era.before.map(|(_, until)| until);
    if let Some((session, until)) = era.before {
        let path = (&station.id[..], &centre.id[..]);
        let stood = &mut fold.stood;
        reader.judgements(path, session, (until, until), |j| *stood = Some(j.link))?;
    }
    for (session, span) in &era.observed {
        if ended.is_some_and(|ended| span.from.since(ended) > UNSEEN_MS_MAX) {
            fold.stood = None;
        }
        ended = Some(span.to);
        // Nothing is known in front of a session, nor behind the last one.
        fold.pass_all(span.from);
        let path = (&station.id[..], &centre.id[..]);
        // What changes at the first moment changes in the window: so how it was just before it is told, too.
        let around = (span.from.plus(-1), span.to);
        reader.judgements(path, *session, around, |judged| fold.take(&judged))?;
        fold.pass_all(span.to);
        fold.end_session();
    }
    fold.pass_all(era.span.to);
    Ok(fold.finish())
}

/// How long nobody may have watched, milliseconds, and how a path stood before still tells that it was lost: judgements
/// stay for five weeks when they are forgotten, so that windows behind a cut are told as before.
const UNSEEN_MS_MAX: i64 = 6 * DAY_MS;

/// Walks through the judgements of a channel and books the time between them.
struct Fold<'a> {
    window: &'a Window,
    accounts: Vec<Account>,
    history: ChannelHistory,
    /// State of each point, and up to when its time is booked.
    points: Vec<(Option<VerdictState>, Timestamp)>,
    /// From which judgement of the session on values of each point came.
    sighted: Vec<Sighted>,
    sight: SightFold<'a>,
    link: (Option<LinkState>, Timestamp),
    /// How the path stood when the session before ended, as far as that is known.
    stood: Option<LinkState>,
    /// Time of which nothing is known of any point, part by part: it is booked once, at the end, so that many short
    /// sessions cost no more than few long ones.
    dark: Vec<i64>,
    /// No point has been told of since the last session ended.
    is_dark: bool,
    /// How long the path has been without a connection, milliseconds that were watched.
    down_ms: i64,
    /// Where the window begins, for what was before it.
    from: Timestamp,
}

impl<'a> Fold<'a> {
    fn new(window: &'a Window, accounts: Vec<Account>, needed: Vec<bool>, from: Timestamp) -> Self {
        let history = ChannelHistory {
            parts: vec![Times::default(); window.parts.len()],
            sights: Vec::new(),
            link: LinkHistory::default(),
            points: vec![PointHistory::default(); accounts.len()],
        };
        let points = vec![(None, from); accounts.len()];
        let sighted = vec![Sighted::default(); accounts.len()];
        let sight = SightFold::new(&window.parts, needed, from);
        let (link, dark) = ((None, from), vec![0; window.parts.len()]);
        Self {
            window,
            accounts,
            history,
            points,
            sighted,
            sight,
            link,
            stood: None,
            dark,
            is_dark: true,
            down_ms: 0,
            from,
        }
    }

    fn take(&mut self, judged: &Judged) {
        // What was before the window says how it begins.
        let at = judged.at.max(self.from);
        if self.is_dark {
            self.pass_all(at);
            self.is_dark = false;
        }
        for run in &judged.runs {
            let places = run.first as usize..(run.first + run.count) as usize;
            for place in places.start..places.end.min(self.points.len()) {
                self.turn(place, run.state, at, judged.at);
            }
        }
        if self.link.0 != Some(judged.link) {
            self.pass_link(at);
            let was_up = self.link.0.or(self.stood) == Some(LinkState::Connected);
            if judged.link != LinkState::Connected && was_up && judged.at >= self.from {
                self.history.link.losses += 1;
                self.history.link.unseen_losses += u32::from(self.link.0.is_none());
            }
            self.link.0 = Some(judged.link);
            self.history.link.last = Some(judged.link);
        }
    }

    /// A point takes another state.
    fn turn(&mut self, place: usize, state: VerdictState, at: Timestamp, judged: Timestamp) {
        let before = self.points[place].0;
        self.sighted[place].note(state.not_live(), at);
        if before == Some(state) {
            // Said once more: its time is booked when it ends.
            return;
        }
        self.pass(place, at);
        self.sight.turn(place, before, state, at);
        let point = &mut self.history.points[place];
        let was_live = before.is_some_and(|before| before.not_live().is_none());
        if was_live && state.not_live().is_some() && judged >= self.from {
            point.outages += u32::from(self.accounts[place].is_required());
        }
        let stood = point.last.filter(|(old, _)| old.not_live() == state.not_live());
        let begins = || match before {
            // Within this session and window it was otherwise before.
            Some(before) if judged >= self.from => {
                self.sighted[place].begins((before.not_live(), state.not_live()), at)
            }
            _ => Since::AtLeast(at),
        };
        point.last = Some((state, stood.map_or_else(begins, |(_, since)| since)));
        self.points[place].0 = Some(state);
    }

    /// Nothing is kept any more of a stretch, before which nobody watched.
    fn leave_out(&mut self, Span { from, to }: Span) {
        if from >= to {
            return;
        }
        self.pass_all(from);
        for place in 0..self.points.len() {
            self.book(place, to, PointSeen::NotKept);
        }
        self.history.link.not_kept += to.since(self.link.1).max(0);
        self.link.1 = to.max(self.link.1);
        // What is judged before only says how things stood there.
        self.from = self.from.max(to);
    }

    /// Books the time of a point up to a moment.
    fn pass(&mut self, place: usize, to: Timestamp) {
        self.book(place, to, self.points[place].0.map_or(PointSeen::Nobody, PointSeen::As));
    }

    /// Books it part by part.
    fn book(&mut self, place: usize, to: Timestamp, seen: PointSeen) {
        let from = self.points[place].1;
        if to <= from {
            return;
        }
        self.points[place].1 = to;
        let account = &self.accounts[place];
        if !account.is_required() {
            return;
        }
        account.add(&mut self.history.points[place].times, seen, to.since(from));
        let parts = &self.window.parts;
        let first = parts.partition_point(|part| part.to <= from);
        for (n, part) in parts.iter().enumerate().skip(first).take_while(|(_, p)| p.from < to) {
            let ms = part.and(Span::new(from, to)).length();
            account.add(&mut self.history.parts[n], seen, ms);
        }
    }

    fn pass_link(&mut self, to: Timestamp) {
        let (state, from) = self.link;
        let ms = to.since(from).max(0);
        self.link.1 = to.max(from);
        let link = &mut self.history.link;
        match state {
            None => link.unobserved += ms,
            Some(LinkState::Connected) => link.connected += ms,
            Some(LinkState::Lost) => link.lost += ms,
            Some(LinkState::NeverConnected) => link.never += ms,
        }
        self.down_ms = match state {
            None => self.down_ms,
            Some(LinkState::Connected) => 0,
            Some(LinkState::Lost | LinkState::NeverConnected) => self.down_ms + ms,
        };
        link.longest = link.longest.max(self.down_ms);
    }

    fn pass_all(&mut self, to: Timestamp) {
        if self.is_dark {
            self.pass_dark(to);
        } else {
            for place in 0..self.points.len() {
                self.pass(place, to);
            }
        }
        self.sight.pass(to);
        self.pass_link(to);
    }

    /// Time up to a moment in which nothing is known of any point: all of them stand at the same moment then.
    fn pass_dark(&mut self, to: Timestamp) {
        let Some((_, from)) = self.points.first().copied().filter(|(_, from)| *from < to) else {
            return;
        };
        for (_, at) in &mut self.points {
            *at = to;
        }
        let parts = &self.window.parts;
        let first = parts.partition_point(|part| part.to <= from);
        let own = parts.iter().zip(&mut self.dark).skip(first);
        for (part, dark) in own.take_while(|(part, _)| part.from < to) {
            *dark += part.and(Span::new(from, to)).length();
        }
    }

    /// What comes next is another session: nothing is known until it says something.
    fn end_session(&mut self) {
        if !self.is_dark {
            for ((state, _), sighted) in self.points.iter_mut().zip(&mut self.sighted) {
                (*state, *sighted) = (None, Sighted::default());
            }
        }
        self.is_dark = true;
        self.sight.end_session();
        self.stood = self.link.0.take().or(self.stood);
    }

    fn finish(mut self) -> ChannelHistory {
        let whole: i64 = self.dark.iter().sum();
        for (account, point) in self.accounts.iter().zip(&mut self.history.points) {
            account.add(&mut point.times, PointSeen::Nobody, whole);
            for (times, dark) in self.history.parts.iter_mut().zip(&self.dark) {
                account.add(times, PointSeen::Nobody, *dark);
            }
        }
        self.history.sights = self.sight.sights;
        self.history
    }
}
