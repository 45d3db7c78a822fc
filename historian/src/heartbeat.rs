//! The heartbeat of a gateway: whether what it answers is new.
//!
//! A gateway that hangs goes on answering with what it had (fault T03 of the trade's list), so that each value seems
//! fresh. What always moves while it runs are its heartbeat, which rolls with every scan of its own, and the counters of
//! seconds in the headers of event rings. While all of these that a centre reads stand still, and no value moves either,
//! no value is newer than the last beat. When something else does move it is the beat that is stuck, and it says
//! nothing of the others.
//!
//! Whoever begins to ask a gateway that hangs never sees anything move: nobody knows of when its values are, from the
//! first one on. Until something beats or moves, or it is seen to stand, that is not decided.

use signal::clock::Timestamp;

/// How long replies must have repeated a beat before it is said to stand, milliseconds: what beats counts seconds, and
/// some devices hand on a count only now and then.
const STANDS_MS: i64 = 3_000;

/// How what beats goes behind a gateway.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heartbeat {
    /// When the last beat came.
    last: Option<Timestamp>,
    /// Replies that repeated it.
    repeats: Repeats,
    /// Those that repeated the heartbeat of the gateway itself.
    own_repeats: Repeats,
    /// Something else moved meanwhile.
    is_stuck: bool,
    /// Something was seen to beat or to move, or it was known when it did.
    has_moved: bool,
}

/// The first and the last reply that repeated a beat.
#[derive(Debug, Clone, Copy, Default)]
struct Repeats(Option<(Timestamp, Timestamp)>);

/// How a count or a value came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// For the first time: nobody knows whether it is another one than before.
    First,
    /// Another one than before.
    New,
    /// The same one.
    Same,
}

impl Heartbeat {
    /// The gateway was known to hang before anything came, with its last beat at `last`: it does until something
    /// beats.
    pub(super) fn hung(last: Timestamp) -> Self {
        let repeats = Repeats(Some((last, last.plus(STANDS_MS))));
        Self { last: Some(last), repeats, has_moved: true, ..Self::default() }
    }

    /// The heartbeat of the gateway came.
    pub(super) fn take(&mut self, at: Timestamp, beat: Beat) {
        self.own_repeats.take(at, beat);
        self.beat(at, beat);
    }

    /// Something that beats came: the heartbeat, or a header of an event ring.
    pub(super) fn beat(&mut self, at: Timestamp, beat: Beat) {
        self.repeats.take(at, beat);
        match beat {
            Beat::First => self.last = self.last.or(Some(at)),
            Beat::New => {
                (self.last, self.is_stuck, self.has_moved) = (Some(at), false, true);
            }
            Beat::Same => {}
        }
    }

    /// A value is other than it was in a reply of `before`. Only what was read twice while nothing beat has moved
    /// since.
    pub(super) fn moved_since(&mut self, before: Timestamp) {
        self.has_moved = true;
        self.is_stuck |= self.repeats.0.is_some_and(|(first, _)| before >= first);
    }

    /// The last beat, when no value is known to be newer.
    pub(super) fn not_newer_than(&self) -> Option<Timestamp> {
        self.last.filter(|_| self.repeats.stand() && !self.is_stuck)
    }

    /// Whether nothing has moved since it was first asked, for so long that it is said to hang: nobody knows of when
    /// any value is.
    pub(super) fn never_moved(&self) -> bool {
        !self.has_moved && self.not_newer_than().is_some()
    }

    /// Whether it is known that it moves, or that it does not. Of one of which nothing came that beats it never is.
    pub(super) fn is_undecided(&self) -> bool {
        self.last.is_some() && !self.has_moved && !self.repeats.stand()
    }

    /// Whether the heartbeat of the gateway stands while others move.
    pub(super) fn is_frozen(&self) -> bool {
        self.own_repeats.stand() && self.not_newer_than().is_none()
    }
}

impl Repeats {
    fn take(&mut self, at: Timestamp, beat: Beat) {
        let first = self.0.map_or(at, |(first, _)| first);
        match beat {
            Beat::First => {}
            Beat::New => self.0 = None,
            Beat::Same => self.0 = Some((first, at)),
        }
    }

    fn stand(&self) -> bool {
        self.0.is_some_and(|(first, last)| last.since(first) >= STANDS_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_known_to_hang_does_until_something_beats() {
        let at = |second: i64| Timestamp(second * 1_000);
        let mut heartbeat = Heartbeat::hung(at(1));
        assert_eq!(heartbeat.not_newer_than(), Some(at(1)));
        heartbeat.take(at(60), Beat::First);
        heartbeat.beat(at(60), Beat::First);
        heartbeat.take(at(61), Beat::Same);
        assert_eq!(heartbeat.not_newer_than(), Some(at(1)));
        heartbeat.beat(at(62), Beat::New);
        assert_eq!(heartbeat.not_newer_than(), None);
    }

    #[test]
    fn it_is_not_decided_until_something_moves_or_it_is_seen_to_stand() {
        // What comes behind the first beat, and then whether it is undecided, and whether it never moved.
        type Case<'a> = (&'a str, &'a [(i64, Come)], bool, bool);
        let at = |second: i64| Timestamp(second * 1_000);
        let table: [Case<'_>; 6] = [
            ("the first one alone", &[], true, false),
            ("repeated for 2 s", &[(2, Own(false)), (4, Own(false))], true, false),
            ("stands from the first one on", &[(2, Own(false)), (5, Own(false))], false, true),
            ("beats", &[(2, Own(true)), (3, Own(false)), (9, Own(false))], false, false),
            (
                "a value moves before it stands",
                &[(2, Moved(1)), (3, Own(false)), (9, Own(false))],
                false,
                false,
            ),
            ("a ring beats", &[(2, Own(false)), (3, Header(true)), (9, Own(false))], false, false),
        ];
        for (what, came, is_undecided, never_moved) in table {
            let mut heartbeat = Heartbeat::default();
            assert!(!heartbeat.is_undecided(), "nothing beats, as far as is known");
            heartbeat.take(at(1), Beat::First);
            feed(&mut heartbeat, came);
            let found = (heartbeat.is_undecided(), heartbeat.never_moved());
            assert_eq!(found, (is_undecided, never_moved), "{what}");
        }
        let hung = Heartbeat::hung(at(1));
        assert!(!hung.is_undecided() && !hung.never_moved(), "it is known when it beat last");
    }

    /// What comes in a second.
    #[derive(Clone, Copy)]
    enum Come {
        /// The heartbeat, with a new count or with the same.
        Own(bool),
        /// The header of a ring, likewise.
        Header(bool),
        /// A value that moved since a reply of that second.
        Moved(i64),
    }
    use Come::{Header, Moved, Own};

    fn feed(heartbeat: &mut Heartbeat, came: &[(i64, Come)]) {
        let at = |second: i64| Timestamp(second * 1_000);
        let beat = |is_new: bool| if is_new { Beat::New } else { Beat::Same };
        for (second, came) in came {
            match *came {
                Own(is_new) => heartbeat.take(at(*second), beat(is_new)),
                Header(is_new) => heartbeat.beat(at(*second), beat(is_new)),
                Moved(before) => heartbeat.moved_since(at(before)),
            }
        }
    }

    /// What comes when; the last beat when it hangs, and whether the heartbeat alone is frozen.
    type Case = (&'static str, &'static [(i64, Come)], Option<i64>, bool);

    #[test]
    fn a_beat_that_stands_alone_says_nothing_of_the_others() {
        let table: [Case; 10] = [
            ("nothing came", &[], None, false),
            ("it beats", &[(1, Own(true)), (2, Moved(1)), (2, Own(true))], None, false),
            ("repeated for 2 s", &[(1, Own(true)), (2, Own(false)), (4, Own(false))], None, false),
            ("it hangs", &[(1, Own(true)), (2, Own(false)), (5, Own(false))], Some(1), false),
            (
                "no heartbeat is read, and its rings hang",
                &[(1, Header(true)), (2, Header(false)), (5, Header(false))],
                Some(1),
                false,
            ),
            (
                "what is read seldom moved before it hung",
                &[(1, Own(true)), (2, Own(false)), (3, Moved(1)), (5, Own(false))],
                Some(1),
                false,
            ),
            (
                "values go on",
                &[(1, Own(true)), (2, Own(false)), (3, Moved(2)), (9, Own(false))],
                None,
                true,
            ),
            (
                "rings go on",
                &[
                    (1, Own(true)),
                    (2, Own(false)),
                    (3, Header(true)),
                    (9, Own(false)),
                    (9, Header(true)),
                ],
                None,
                true,
            ),
            (
                "values went on, it beats again",
                &[(1, Own(true)), (2, Own(false)), (3, Moved(2)), (9, Own(false)), (10, Own(true))],
                None,
                false,
            ),
            (
                "stuck, beats, and then hangs",
                &[
                    (1, Own(true)),
                    (2, Own(false)),
                    (3, Moved(2)),
                    (4, Own(true)),
                    (5, Own(false)),
                    (8, Own(false)),
                ],
                Some(4),
                false,
            ),
        ];
        let at = |second: i64| Timestamp(second * 1_000);
        for (what, came, hangs, is_frozen) in table {
            let mut heartbeat = Heartbeat::default();
            feed(&mut heartbeat, came);
            let found = (heartbeat.not_newer_than(), heartbeat.is_frozen());
            assert_eq!(found, (hangs.map(at), is_frozen), "{what}");
        }
    }
}
