//! Faults of answers and connections: what the server of a channel does instead of answering well.

use std::time::Duration;

use super::fault::{Fault, Touched};
use super::kind::FaultKind;
use super::samples::says_com;
use crate::telemetry::conduct::{ALL, BadReply, Conduct, Refused, Spoilt};
use crate::telemetry::image::Image;

/// Alters the conduct of a channel as one fault does.
pub(crate) fn apply(fault: &Fault, touched: &Touched, image: &mut Image) {
    let units = || touched.units.clone();
    let settings = &fault.settings;
    let refuse = |conduct: &mut Conduct, code: u8, share: u32| {
        conduct.refused.push(Refused { units: units(), code, share, chance: fault.chance });
    };
    let whole = |name: &str, other: u64| {
        let x = settings.number(name);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by the specification"
        )]
        if x.is_finite() { x as u64 } else { other }
    };
    let spoil = |conduct: &mut Conduct, how: Spoilt| {
        conduct.bad_replies.push(BadReply {
            units: units(),
            how,
            every: whole("every", 1).max(1),
            pause: Duration::from_millis(whole("ms", 0)),
            chance: fault.chance,
        });
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
        FaultKind::LateReply => spoil(image.conduct_mut(), Spoilt::Late),
        FaultKind::TruncatedReply => spoil(image.conduct_mut(), Spoilt::Truncated),
        FaultKind::SplitReply => spoil(image.conduct_mut(), Spoilt::Split),
        FaultKind::DuplicatedReply => spoil(image.conduct_mut(), Spoilt::Duplicated),
        FaultKind::WrongTransaction => spoil(image.conduct_mut(), Spoilt::WrongTransaction),
        FaultKind::WrongUnit => spoil(image.conduct_mut(), Spoilt::WrongUnit),
        FaultKind::WrongFunction => spoil(image.conduct_mut(), Spoilt::WrongFunction),
        FaultKind::Reset => spoil(image.conduct_mut(), Spoilt::Reset),
        FaultKind::Garbage => spoil(image.conduct_mut(), Spoilt::Garbage),
        _ => {}
    }
}
