//! A window of time, the contracts that held in it, and the stretches in which somebody watched.

use signal::clock::Timestamp;

use crate::{Kept, KeptFrom, Session};

/// A stretch of time, its end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first millisecond.
    pub from: Timestamp,
    /// The first one behind it.
    pub to: Timestamp,
}

impl Span {
    /// From one moment to another; nothing when that is earlier.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from) }
    }

    /// Milliseconds.
    pub fn length(self) -> i64 {
        self.to.since(self.from)
    }

    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }
}

/// Stretches in the order of time, those that touch as one.
pub(super) fn merged(spans: impl IntoIterator<Item = Span>) -> Vec<Span> {
    let mut all: Vec<Span> = spans.into_iter().filter(|span| span.length() > 0).collect();
    all.sort_unstable_by_key(|span| span.from);
    let mut merged: Vec<Span> = Vec::with_capacity(all.len());
    for span in all {
        match merged.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => merged.push(span),
        }
    }
    merged
}

/// Whether some of a stretch lies in one of others, which are in order and do not touch.
pub(super) fn touches(all: &[Span], own: Span) -> bool {
    let next = all.partition_point(|one| one.to <= own.from);
    all.get(next).is_some_and(|one| one.and(own).length() > 0)
}

/// What some stretches have beside others, which are in order and do not touch.
pub(super) fn without(all: impl Iterator<Item = Span>, others: &[Span]) -> Vec<Span> {
    let mut left = Vec::new();
    for span in all {
        let mut from = span.from;
        let first = others.partition_point(|own| own.to <= span.from);
        for own in others[first..].iter().take_while(|own| own.from < span.to) {
            let own = own.and(span);
            left.push(Span::new(from, own.from));
            from = own.to;
        }
        left.push(Span::new(from, span.to));
    }
    merged(left)
}

/// A window, cut up by days and by contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// All of it.
    pub span: Span,
    /// Its parts, one behind the other without a gap: days, or whatever figures are told by.
    pub parts: Vec<Span>,
    /// The contracts that held in it, in the order of time and without a gap.
    pub eras: Vec<Era>,
    /// From when on each kind of record is kept.
    pub kept: KeptFrom,
}

/// A stretch of a window in which one contract held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Era {
    /// Number of the contract in the store.
    pub contract: i64,
    /// How long it held.
    pub span: Span,
    /// The sessions within it, and what of each lies within it: somebody watched.
    pub observed: Vec<(i64, Span)>,
    /// Where its first session begins in it: the session before, and when that ended.
    pub before: Option<(i64, Timestamp)>,
}

impl Era {
    /// What of it lies in a span.
    #[must_use]
    pub(super) fn within(mut self, span: Span) -> Self {
        self.span = self.span.and(span);
        for (_, observed) in &mut self.observed {
            *observed = observed.and(span);
        }
        self.observed.retain(|(_, observed)| observed.length() > 0);
        self
    }

    /// What of a span was watched, session by session.
    pub(super) fn watched(&self, span: Span) -> impl Iterator<Item = Span> {
        // They are in the order of time, and never overlap.
        let first = self.observed.partition_point(|(_, session)| session.to <= span.from);
        let near = self.observed[first..].iter().take_while(move |(_, own)| own.from < span.to);
        near.map(move |(_, session)| session.and(span))
    }
}

impl Window {
    /// A window whose parts begin at `span.from` and each of `cuts`, which are in order.
    ///
    /// A contract holds from the session that brought it to the next one that brings another; the
    /// first one also before, since nobody knows of an earlier.
    pub fn new(span: Span, cuts: &[Timestamp], sessions: &[Session]) -> Self {
        let within = cuts.iter().copied().filter(|cut| *cut > span.from && *cut < span.to);
        let edges: Vec<Timestamp> =
            std::iter::once(span.from).chain(within).chain([span.to]).collect();
        let parts = edges.windows(2).map(|pair| Span::new(pair[0], pair[1])).collect();
        let mut eras: Vec<Era> = Vec::new();
        for (n, session) in sessions.iter().enumerate() {
            let begins = if n == 0 { Timestamp(i64::MIN) } else { session.from };
            match eras.last_mut() {
                Some(last) if last.contract == session.contract => {}
                last => {
                    if let Some(last) = last {
                        last.span.to = begins;
                    }
                    let (contract, observed) = (session.contract, Vec::new());
                    let span = Span { from: begins, to: Timestamp(i64::MAX) };
                    eras.push(Era { contract, span, observed, before: None });
                }
            }
            if let Some(era) = eras.last_mut() {
                era.observed.push((session.id, Span::new(session.from, session.until)));
            }
        }
        let mut eras: Vec<Era> = eras.into_iter().map(|era| era.within(span)).collect();
        eras.retain(|era| era.span.length() > 0);
        for era in &mut eras {
            let first = era.observed.first().map(|(_, span)| span.from);
            let begins = first.and_then(|at| sessions.binary_search_by_key(&at, |s| s.from).ok());
            let before = begins.and_then(|n| sessions.get(n.checked_sub(1)?));
            era.before = before.map(|session| (session.id, session.until));
        }
        Self { span, parts, eras, kept: KeptFrom::default() }
    }

    /// The same window of a store that does not keep everything any more.
    #[must_use]
    pub fn with_kept(self, kept: KeptFrom) -> Self {
        Self { kept, ..self }
    }

    /// The stretch of which there were records of a kind that are no longer kept; of no length when all of them
    /// are. Before it there was nothing that could be kept.
    pub fn not_kept(&self, kind: Kept) -> Span {
        let own = |at: Timestamp| at.clamp(self.span.from, self.span.to);
        let gap = self.kept.gap(kind);
        gap.map_or(Span::new(self.span.from, self.span.from), |gap| {
            Span::new(own(gap.from), own(gap.to))
        })
    }

    /// What of it is still kept of a kind of record, or was never there.
    pub fn kept(&self, kind: Kept) -> Span {
        let from = self.kept.of(kind).unwrap_or(self.span.from);
        Span { from: from.clamp(self.span.from, self.span.to), to: self.span.to }
    }

    /// From the first moment in which somebody watched to the last; `None`: nobody did.
    pub fn observed(&self) -> Option<Span> {
        let mut all = self.eras.iter().flat_map(|era| &era.observed).map(|(_, span)| *span);
        let first = all.next()?;
        Some(Span::new(first.from, all.next_back().unwrap_or(first).to))
    }

    /// Milliseconds in which somebody watched.
    pub fn observed_ms(&self) -> i64 {
        self.eras.iter().flat_map(|era| &era.observed).map(|(_, span)| span.length()).sum()
    }
}
