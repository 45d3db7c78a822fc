//! Remote metering: counted from the meters' own bits, not taken on trust.

use config::{Date, MeterFigures, Province, Scan, SoldFigures, Station};

use super::channel::ChannelState;
use super::counts::Share;
use super::picture::{HalfHours, MeterGroupPicture, MeteringPicture, Reads, SoldReads};
use crate::clock::{DAY_MS, Timestamp};

/// The registers of a metering unit as they were last read.
pub(super) struct MeterCells {
    cells: Vec<u16>,
    /// When each was read.
    at: Vec<Option<Timestamp>>,
}

impl MeterCells {
    pub(super) fn new(station: &Station) -> Self {
        let sold = usize::from(SoldFigures::REGISTERS);
        let ends = station.meters.iter().map(|group| usize::from(group.sold_address) + sold);
        let end = ends.max().unwrap_or(0);
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

    fn group(&self, group: &config::MeterGroup) -> Told {
        let reported = self
            .read(group.count_address, 2)
            .map(|(cells, _)| u32::from(cells[0]) << 16 | u32::from(cells[1]));
        let bits = self.read(group.bits_address, group.bit_registers() as usize);
        let proven = bits.map(|(cells, _)| count_bits(cells, group.installed));
        let figures = self.read(group.figures_address, usize::from(MeterFigures::REGISTERS));
        let sold = self.read(group.sold_address, usize::from(SoldFigures::REGISTERS));
        let at = [bits, figures].into_iter().flatten().filter_map(|(_, at)| at).min();
        Told {
            proven,
            reported,
            at,
            figures: figures.and_then(|(cells, _)| MeterFigures::from_cells(cells)),
            sold: sold.and_then(|(cells, _)| SoldFigures::from_cells(cells, group.installed)),
        }
    }
}

/// What a metering unit has told of a group.
#[derive(Default)]
struct Told {
    proven: Option<u32>,
    reported: Option<u32>,
    at: Option<Timestamp>,
    figures: Option<MeterFigures>,
    sold: Option<SoldFigures>,
}

/// Set bits among the first `meters`; what lies beyond the last meter is not one.
fn count_bits(cells: &[u16], meters: u32) -> u32 {
    let whole = (meters / 16) as usize;
    let rest = meters % 16;
    let full: u32 = cells.iter().take(whole).map(|cell| cell.count_ones()).sum();
    let last = cells.get(whole).map_or(0, |cell| (cell & ((1_u16 << rest) - 1)).count_ones());
    full + last
}

/// The days that the figures hold for, since 1970: the newest that any group tells of, 0 for none.
#[derive(Clone, Copy, Default)]
struct Days {
    first: u16,
    last: u16,
}

impl Days {
    fn of(groups: &[MeterGroupPicture]) -> Self {
        let figures = || groups.iter().filter_map(|group| group.figures);
        Self {
            first: figures().map(|figures| figures.day).max().unwrap_or(0),
            last: figures().map(|figures| figures.final_day).max().unwrap_or(0),
        }
    }

    fn date(day: u16) -> Option<Date> {
        (day > 0).then(|| Timestamp(i64::from(day) * DAY_MS).local(0).date)
    }
}

/// What the figures of a group add: nothing to the counts of a day that they do not hold for, and
/// nothing to what is online when they are not fresh.
fn reads(figures: &MeterFigures, days: Days, fresh: bool) -> Reads {
    let share = |have: u32, want: u32, counts: bool| {
        if counts { Share::new(u64::from(have), u64::from(want)) } else { Share::default() }
    };
    let first = days.first > 0 && figures.day == days.first;
    let last = days.last > 0 && figures.final_day == days.last;
    Reads {
        first_pass: share(figures.first_pass, figures.expected, first),
        final_first_pass: share(figures.final_first_pass, figures.final_expected, last),
        final_pass: share(figures.final_read, figures.final_expected, last),
        half_hours: if last { half_hours(figures) } else { HalfHours::default() },
        intervals: share(figures.intervals, figures.intervals_expected, first),
        minutes: share(figures.minutes_online, figures.minutes_expected, first),
        online: share(u32::from(figures.online), u32::from(figures.concentrators), fresh),
        ..Reads::default()
    }
}

fn half_hours(figures: &MeterFigures) -> HalfHours {
    HalfHours {
        expected: figures.final_intervals_expected.into(),
        on_time: figures.final_intervals_on_time.into(),
        late: figures.final_intervals_late.into(),
        backfilled: figures.final_intervals_backfilled.into(),
    }
}

pub(super) fn picture(
    province: &Province,
    channels: &[ChannelState],
    now: Timestamp,
) -> MeteringPicture {
    let mut picture = MeteringPicture {
        districts: vec![Share::default(); province.districts.len()],
        stations: vec![Share::default(); province.stations.len()],
        classes: vec![Share::default(); province.meter_classes.len()],
        district_reads: vec![Reads::default(); province.districts.len()],
        station_reads: vec![Reads::default(); province.stations.len()],
        class_reads: vec![Reads::default(); province.meter_classes.len()],
        district_uncounted: vec![0; province.districts.len()],
        station_uncounted: vec![0; province.stations.len()],
        class_uncounted: vec![0; province.meter_classes.len()],
        district_sold: vec![SoldReads::default(); province.districts.len()],
        class_sold: vec![SoldReads::default(); province.meter_classes.len()],
        ..MeteringPicture::default()
    };
    for station in province.station_ids() {
        let reader = province
            .centre_ids()
            .find_map(|c| channels[province.channel_id(station, c).index()].meters.as_ref());
        for (n, group) in province.stations[station.index()].meters.iter().enumerate() {
            let told = reader.map(|cells| cells.group(group)).unwrap_or_default();
            picture.groups.push(MeterGroupPicture {
                station,
                group: n,
                proven: told.proven,
                reported: told.reported,
                at: told.at,
                figures: told.figures,
                sold: told.sold,
            });
            // The contract says how many there are; what never came is not proven.
            let share = Share::new(u64::from(told.proven.unwrap_or(0)), u64::from(group.installed));
            let uncounted = if told.proven.is_none() { u64::from(group.installed) } else { 0 };
            picture.classes[group.class] += share;
            picture.class_uncounted[group.class] += uncounted;
            let energy = SoldReads::of(told.sold.as_ref(), group.installed);
            picture.class_sold[group.class] += energy;
            if province.meter_classes[group.class].sold {
                picture.total += share;
                picture.sold += energy;
                picture.district_sold[group.district] += energy;
                picture.districts[group.district] += share;
                picture.stations[station.index()] += share;
                picture.uncounted += uncounted;
                picture.district_uncounted[group.district] += uncounted;
                picture.station_uncounted[station.index()] += uncounted;
            }
        }
    }
    sum_reads(province, &mut picture, now);
    picture
}

fn sum_reads(province: &Province, picture: &mut MeteringPicture, now: Timestamp) {
    let days = Days::of(&picture.groups);
    (picture.day, picture.final_day) = (Days::date(days.first), Days::date(days.last));
    let fresh_ms = province.scan.old_after_ms(Scan::Metering);
    for told in &picture.groups {
        let group = &province.stations[told.station.index()].meters[told.group];
        let sold = province.meter_classes[group.class].sold;
        let fresh = told.at.is_some_and(|at| now.since(at) <= fresh_ms);
        let mut reads =
            told.figures.map(|figures| reads(&figures, days, fresh)).unwrap_or_default();
        // Whoever does not tell of a day leaves open what was read of it.
        let lacks = |newest: u16, of: fn(&MeterFigures) -> u16| {
            let is_told = told.figures.is_some_and(|figures| of(&figures) == newest);
            let meters = told.proven.unwrap_or(group.installed);
            if newest == 0 || is_told { 0 } else { u64::from(meters) }
        };
        reads.not_heard = lacks(days.first, |figures| figures.day);
        reads.final_not_heard = lacks(days.last, |figures| figures.final_day);
        picture.class_reads[group.class] += reads;
        if !sold {
            continue;
        }
        picture.reads += reads;
        picture.district_reads[group.district] += reads;
        picture.station_reads[told.station.index()] += reads;
    }
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
