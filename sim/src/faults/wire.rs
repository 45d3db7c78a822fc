//! Faults of answers and connections: what the server of a channel does instead of answering well.

use std::time::Duration;

use super::fault::{Fault, Touched};
use super::kind::FaultKind;
use super::samples::says_com;
use crate::chance::Chance;
use crate::telemetry::image::Image;

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
    units: Vec<u8>,
    code: u8,
    /// Of a million requests.
    share: u32,
    chance: Chance,
}

/// Replies that come out wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadReply {
    units: Vec<u8>,
    kind: FaultKind,
    every: u64,
    pause: Duration,
    chance: Chance,
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
const ALL: u32 = 1_000_000;

/// Alters the conduct of a channel as one fault does.
pub(crate) fn apply(fault: &Fault, touched: &Touched, image: &mut Image) {
    let units = || touched.units.clone();
    let settings = &fault.settings;
    let refuse = |conduct: &mut Conduct, code: u8, share: u32| {
        conduct.refused.push(Refused { units: units(), code, share, chance: fault.chance });
    };
    match fault.kind {
        FaultKind::ChannelLost if settings.word("how") == 0 => image.conduct_mut().closed = true,
        FaultKind::ChannelLost => image.conduct_mut().silent = true,
        FaultKind::UnitLost if !says_com(settings) => {
            let code = [0x0B, 0x0A][settings.word("says").min(1)];
            refuse(image.conduct_mut(), code, ALL);
        }
        FaultKind::UnitLost => image.conduct_mut().unreached.extend(units()),
        FaultKind::GatewayHung => image.conduct_mut().unreached.push(0),
        FaultKind::DeviceFailure => refuse(image.conduct_mut(), 4, ALL),
        FaultKind::Busy => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share is from 0 to 1"
            )]
            let share = (settings.number("share") * f64::from(ALL)) as u32;
            refuse(image.conduct_mut(), 6, share);
        }
        FaultKind::HalfOpen => image.conduct_mut().mute.extend(units()),
        kind if kind >= FaultKind::LateReply => {
            let whole = |name: &str, other: u64| {
                let x = settings.number(name);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bounded by the specification"
                )]
                if x.is_finite() { x as u64 } else { other }
            };
            image.conduct_mut().bad_replies.push(BadReply {
                units: units(),
                kind,
                every: whole("every", 1).max(1),
                pause: Duration::from_millis(whole("ms", 0)),
                chance: fault.chance,
            });
        }
        _ => {}
    }
}

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
        match self.kind {
            FaultKind::LateReply => Fate::Pieces(vec![(self.pause, reply.to_vec())]),
            FaultKind::TruncatedReply => Fate::Pieces(vec![(now, reply[..half].to_vec())]),
            FaultKind::SplitReply => Fate::Pieces(vec![
                (now, reply[..half].to_vec()),
                (self.pause, reply[half..].to_vec()),
            ]),
            FaultKind::DuplicatedReply => {
                Fate::Pieces(vec![(now, reply.to_vec()), (self.pause, reply.to_vec())])
            }
            FaultKind::WrongTransaction => altered(1, |byte| byte ^ 1),
            FaultKind::WrongUnit => altered(6, |byte| byte ^ 1),
            // 1 for 2, 3 for 4, and the other way round.
            FaultKind::WrongFunction => {
                altered(7, |byte| (byte.wrapping_sub(1) ^ 1).wrapping_add(1))
            }
            FaultKind::Reset => Fate::Reset,
            FaultKind::Garbage => {
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
            _ => Fate::Sent,
        }
    }
}
