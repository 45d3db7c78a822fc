//! How a channel behaves beside what it says: whom it answers, with what delay, and in which shape.

use std::time::Duration;

use crate::chance::Chance;

/// How a channel behaves. Part of its image, so that it changes with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Conduct {
    /// The port is closed.
    pub(crate) closed: bool,
    /// Units whose requests are swallowed.
    pub(crate) mute: Vec<u8>,
    /// Nobody answers at all.
    pub(crate) silent: bool,
    pub(crate) refused: Vec<Refused>,
    /// Units that commands do not reach any more; 0 stands for all.
    pub(crate) unreached: Vec<u8>,
    pub(crate) bad_replies: Vec<BadReply>,
}

/// Units that answer with an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) units: Vec<u8>,
    pub(crate) code: u8,
    /// Of a million requests.
    pub(crate) share: u32,
    pub(crate) chance: Chance,
}

/// Replies that come out wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadReply {
    pub(crate) units: Vec<u8>,
    pub(crate) how: Spoilt,
    /// One of so many.
    pub(crate) every: u64,
    /// What comes late comes so much later.
    pub(crate) pause: Duration,
    pub(crate) chance: Chance,
}

/// In which way a reply comes out wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoilt {
    /// It is sent late.
    Late,
    /// Its second half is never sent.
    Truncated,
    /// Its second half is sent late.
    Split,
    /// It is sent twice.
    Duplicated,
    /// It has the number of another transaction.
    WrongTransaction,
    /// It comes from another unit.
    WrongUnit,
    /// It answers another function.
    WrongFunction,
    /// The connection is reset instead.
    Reset,
    /// Its bytes mean nothing.
    Garbage,
}

/// What becomes of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is sent as it is.
    Sent,
    /// These pieces are sent, each after its pause.
    Pieces(Vec<(Duration, Vec<u8>)>),
    /// The connection is reset.
    Reset,
}

/// All requests of a million.
pub(crate) const ALL: u32 = 1_000_000;

impl Conduct {
    /// The exception that a write to a unit gets that commands do not reach.
    pub(crate) fn ignores(&self, unit: u8) -> Option<u8> {
        let lost = self.unreached.iter().any(|own| *own == 0 || *own == unit);
        lost.then_some(0x0B)
    }

    /// The exception with which a unit refuses everything.
    pub(crate) fn refuses(&self, unit: u8) -> Option<u8> {
        let always = self.refused.iter().filter(|refused| refused.share >= ALL);
        always.filter(|refused| refused.units.contains(&unit)).map(|refused| refused.code).next()
    }

    /// The exception with which a unit puts off its `n`-th request.
    pub(crate) fn puts_off(&self, unit: u8, n: u64) -> Option<u8> {
        let hit = |refused: &&Refused| {
            refused.units.contains(&unit)
                && refused.chance.share(n) * f64::from(ALL) < f64::from(refused.share)
        };
        self.refused.iter().find(hit).map(|refused| refused.code)
    }

    /// Whether requests to a unit are swallowed.
    pub(crate) fn swallows(&self, unit: u8) -> bool {
        self.silent || self.mute.contains(&unit)
    }

    /// What becomes of the `n`-th reply of a channel.
    pub(crate) fn fate(&self, reply: &[u8], n: u64) -> Fate {
        let Some(unit) = reply.get(6) else { return Fate::Sent };
        let hit = self
            .bad_replies
            .iter()
            .find(|bad| bad.units.contains(unit) && n % bad.every == bad.every - 1);
        hit.map_or(Fate::Sent, |bad| bad.fate(reply, n))
    }
}

impl BadReply {
    fn fate(&self, reply: &[u8], n: u64) -> Fate {
        let now = Duration::ZERO;
        let altered = |at: usize, change: fn(u8) -> u8| {
            let mut reply = reply.to_vec();
            if let Some(byte) = reply.get_mut(at) {
                *byte = change(*byte);
            }
            Fate::Pieces(vec![(now, reply)])
        };
        let half = reply.len() / 2;
        match self.how {
            Spoilt::Late => Fate::Pieces(vec![(self.pause, reply.to_vec())]),
            Spoilt::Truncated => Fate::Pieces(vec![(now, reply[..half].to_vec())]),
            Spoilt::Split => Fate::Pieces(vec![
                (now, reply[..half].to_vec()),
                (self.pause, reply[half..].to_vec()),
            ]),
            Spoilt::Duplicated => {
                Fate::Pieces(vec![(now, reply.to_vec()), (self.pause, reply.to_vec())])
            }
            Spoilt::WrongTransaction => altered(1, |byte| byte ^ 1),
            Spoilt::WrongUnit => altered(6, |byte| byte ^ 1),
            // 1 for 2, 3 for 4, and the other way round.
            Spoilt::WrongFunction => altered(7, |byte| (byte.wrapping_sub(1) ^ 1).wrapping_add(1)),
            Spoilt::Reset => Fate::Reset,
            Spoilt::Garbage => {
                let byte = |at: usize| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a share of 256"
                    )]
                    let byte = (self.chance.share(n.wrapping_mul(512) + at as u64) * 256.0) as u8;
                    byte
                };
                Fate::Pieces(vec![(now, (0..reply.len()).map(byte).collect())])
            }
        }
    }
}
