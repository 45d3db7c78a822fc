//! Remote metering: counted from the meters' own bits, not taken on trust.

use config::{Province, Station};

use super::channel::ChannelState;
use super::counts::Share;
use super::picture::{MeterGroupPicture, MeteringPicture};
use crate::clock::Timestamp;

/// The registers of a metering unit as they were last read.
pub(super) struct MeterCells {
    cells: Vec<u16>,
    /// When each was read.
    at: Vec<Option<Timestamp>>,
}

impl MeterCells {
    pub(super) fn new(station: &Station) -> Self {
        let end = station
            .meters
            .iter()
            .map(|group| usize::from(group.bits_address) + group.bit_registers() as usize)
            .max()
            .unwrap_or(0);
        Self { cells: vec![0; end], at: vec![None; end] }
    }

    pub(super) fn accept(&mut self, address: u16, read: &[u16], at: Timestamp) {
        let from = usize::from(address);
        for (n, cell) in read.iter().enumerate() {
            if let Some(kept) = self.cells.get_mut(from + n) {
                *kept = *cell;
                self.at[from + n] = Some(at);
            }
        }
    }

    /// Cells of a range and when the oldest of them was read; `None` until all were.
    fn read(&self, address: u16, count: usize) -> Option<(&[u16], Option<Timestamp>)> {
        let range = usize::from(address)..usize::from(address) + count;
        let times = self.at.get(range.clone())?;
        if times.iter().any(Option::is_none) {
            return None;
        }
        Some((self.cells.get(range)?, times.iter().copied().flatten().min()))
    }

    fn group(&self, group: &config::MeterGroup) -> (Option<u32>, Option<u32>, Option<Timestamp>) {
        let reported = self
            .read(group.count_address, 2)
            .map(|(cells, _)| u32::from(cells[0]) << 16 | u32::from(cells[1]));
        let bits = self.read(group.bits_address, group.bit_registers() as usize);
        let proven = bits.map(|(cells, _)| count_bits(cells, group.installed));
        (proven, reported, bits.and_then(|(_, at)| at))
    }
}

/// Set bits among the first `meters`; what lies beyond the last meter is not one.
fn count_bits(cells: &[u16], meters: u32) -> u32 {
    let whole = (meters / 16) as usize;
    let rest = meters % 16;
    let full: u32 = cells.iter().take(whole).map(|cell| cell.count_ones()).sum();
    let last = cells.get(whole).map_or(0, |cell| (cell & ((1_u16 << rest) - 1)).count_ones());
    full + last
}

pub(super) fn picture(province: &Province, channels: &[ChannelState]) -> MeteringPicture {
    let mut picture = MeteringPicture {
        districts: vec![Share::default(); province.districts.len()],
        stations: vec![Share::default(); province.stations.len()],
        classes: vec![Share::default(); province.meter_classes.len()],
        ..MeteringPicture::default()
    };
    for station in province.station_ids() {
        let reader = province
            .centre_ids()
            .find_map(|c| channels[province.channel_id(station, c).index()].meters.as_ref());
        for (n, group) in province.stations[station.index()].meters.iter().enumerate() {
            let (proven, reported, at) =
                reader.map_or((None, None, None), |cells| cells.group(group));
            picture.groups.push(MeterGroupPicture { station, group: n, proven, reported, at });
            // The contract says how many there are; what never came is not proven.
            let share = Share::new(u64::from(proven.unwrap_or(0)), u64::from(group.installed));
            picture.classes[group.class] += share;
            if province.meter_classes[group.class].sold {
                picture.total += share;
                picture.districts[group.district] += share;
                picture.stations[station.index()] += share;
                if proven.is_none() {
                    picture.uncounted += u64::from(group.installed);
                }
            }
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_last_meter_do_not_count() {
        assert_eq!(count_bits(&[0xFFFF, 0xFFFF], 20), 20);
        assert_eq!(count_bits(&[0xFFFF, 0xFFFF], 32), 32);
        assert_eq!(count_bits(&[0x0001, 0x8000], 32), 2);
        assert_eq!(count_bits(&[0x0001, 0x8000], 31), 1);
        assert_eq!(count_bits(&[], 0), 0);
    }
}
