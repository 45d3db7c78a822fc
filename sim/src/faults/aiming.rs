//! Which points of which channels a fault touches, given what it is aimed at.

use config::{ChannelId, PointId, Province};

use super::fault::{FaultError, Injection, Touched};
use super::kind::{FaultKind, FaultSettings};
use super::{registers, samples};
use crate::target::{Aim, Reach, resolve};

/// Whether an injection could be started: what a script is checked with.
///
/// # Errors
/// What is wrong, with the way out.
pub fn check(province: &Province, injection: &Injection) -> Result<(), FaultError> {
    aimed(province, injection).map(|_| ())
}

/// What a fault would touch, channel by channel, and whether it is aimed at stations as a whole.
///
/// # Errors
/// What is wrong with target or centre, or that the fault cannot apply to it.
pub(super) fn aimed(
    province: &Province,
    injection: &Injection,
) -> Result<(Vec<Touched>, bool), FaultError> {
    let Injection { kind, target, centre, settings, .. } = injection;
    let centre = match centre {
        Some(id) => Some(province.centre(id).ok_or_else(|| {
            let names = province.centres.iter().map(|centre| centre.id.as_str());
            FaultError::NoCentre { name: id.clone(), hint: config::way_out(id, names) }
        })?),
        None => None,
    };
    let aims = narrow(province, target, *kind, settings, resolve(province, target)?)?;
    let mut touched = Vec::new();
    for id in province.centre_ids().filter(|id| centre.is_none_or(|only| only == *id)) {
        for aim in &aims {
            let channel = province.channel_id(aim.station, id);
            let points = affected(province, channel, *kind, settings, aim);
            let units = aim.units.clone();
            if !points.is_empty() || kind.spec().reach < Reach::Bay {
                let held = Vec::new();
                touched.push(Touched { channel, points, units, held, image: None });
            }
        }
    }
    if touched.is_empty() {
        let centre = centre.map_or("any centre", |id| province.centres[id.index()].id.as_str());
        return Err(FaultError::NotSent {
            fault: *kind,
            target: target.clone(),
            centre: centre.to_owned(),
        });
    }
    let whole_station = aims.iter().all(|aim| aim.grain == Reach::Station);
    Ok((touched, whole_station))
}

/// The points of a channel that a fault affects.
fn affected(
    province: &Province,
    channel: ChannelId,
    kind: FaultKind,
    settings: &FaultSettings,
    aim: &Aim,
) -> Vec<PointId> {
    let contract = &province.channels[channel.index()];
    let station = &province.stations[contract.station.index()];
    let all: Vec<PointId> = match kind.spec().reach {
        Reach::Bay | Reach::Point => aim.points.clone(),
        Reach::Station | Reach::Unit => (0..station.points.len()).map(PointId::at).collect(),
    };
    let of_units = |unit: u8| kind.spec().reach != Reach::Unit || aim.units.contains(&unit);
    all.into_iter()
        .filter(|id| {
            let point = &station.points[id.index()];
            let Some(register) = contract.entries[id.index()].register else { return false };
            let command = point.spec.kind.is_command();
            of_units(register.unit)
                && match kind {
                    FaultKind::UnitLost => !command || !samples::says_com(settings),
                    FaultKind::WrongClock | FaultKind::EventOverflow => {
                        point.spec.time_tag.is_some() && !command
                    }
                    FaultKind::IndexShift => !command,
                    FaultKind::DuplicateAddress => {
                        let twin = registers::twin(station, register.unit, settings);
                        !command && registers::has_twin(contract, &register, twin)
                    }
                    _ => true,
                }
        })
        .collect()
}

/// Narrows an aim to what a fault does there.
///
/// # Errors
/// When the fault cannot apply to it: what it applies to.
fn narrow(
    province: &Province,
    text: &str,
    kind: FaultKind,
    settings: &FaultSettings,
    aims: Vec<Aim>,
) -> Result<Vec<Aim>, FaultError> {
    let spec = kind.spec();
    let refused = || FaultError::CannotApply { fault: kind, target: text.to_owned() };
    // A bay stands for the unit that carries it.
    let finest = if spec.reach == Reach::Unit { Reach::Bay } else { spec.reach };
    if aims.iter().any(|aim| aim.grain > finest) {
        return Err(refused());
    }
    let mut kept = Vec::new();
    for mut aim in aims {
        let station = &province.stations[aim.station.index()];
        match spec.reach {
            Reach::Station => {}
            Reach::Unit => {
                if [FaultKind::IndexShift, FaultKind::DuplicateAddress].contains(&kind) {
                    // Meters are no points, so nobody could say which of them are wrong.
                    aim.units.retain(|unit| station.metering_unit() != Some(*unit));
                }
                let twins = kind == FaultKind::DuplicateAddress;
                let twin = |unit: &u8| registers::twin(station, *unit, settings);
                if twins && (aim.units.len() != 1 || aim.units.iter().any(|u| twin(u).is_none())) {
                    return Err(refused());
                }
                if aim.units.is_empty() {
                    continue;
                }
            }
            Reach::Bay => {
                aim.bays.retain(|bay| samples::has_vt(station, *bay));
                if aim.bays.is_empty() {
                    continue;
                }
                aim.points = samples::behind_vt(station, &aim.bays, settings);
            }
            Reach::Point => {
                aim.points.retain(|point| kind.takes(settings, &station.points[point.index()]));
                if aim.points.is_empty() {
                    continue;
                }
            }
        }
        kept.push(aim);
    }
    if kept.is_empty() { Err(refused()) } else { Ok(kept) }
}
