//! Customers: the meters that sell energy, and on which feeder of their station each stands.
//!
//! A contract says how many meters of a class a station has, not on which feeder each hangs. Those of a
//! group stand on the feeders in equal runs, one behind the other, so that the numbers of the feeders are
//! whole and sum to those of the station exactly. Simulated field and reports have them from here.

use crate::province::{Province, Station};

/// Meters in front of run `n` of `runs` equal ones of a group of `installed`: `n` from 0 to `runs`, where
/// it is all of them.
pub fn run_start(installed: u32, n: u64, runs: u64) -> u32 {
    u32::try_from(u64::from(installed) * n / runs.max(1)).unwrap_or(installed)
}

impl Station {
    /// Places of the bays on which customers hang, in the order of the contract.
    pub fn feeder_bays(&self) -> impl Iterator<Item = usize> {
        self.bays.iter().enumerate().filter(|(_, bay)| bay.is_feeder()).map(|(n, _)| n)
    }
}

impl Province {
    /// Meters that sell energy at a station. Those of a station without feeders hang on none.
    pub fn customers(&self, station: &Station) -> u64 {
        let sold = station.meters.iter().filter(|group| self.meter_classes[group.class].sold);
        sold.map(|group| u64::from(group.installed)).sum()
    }

    /// The same feeder by feeder: the place of its bay, and its meters that sell energy.
    pub fn customers_by_feeder(&self, station: &Station) -> Vec<(usize, u64)> {
        let runs = station.feeder_bays().count() as u64;
        let on_feeder = |n: u64| {
            let sold = station.meters.iter().filter(|group| self.meter_classes[group.class].sold);
            let start = |group: u32, n: u64| u64::from(run_start(group, n, runs));
            sold.map(|group| start(group.installed, n + 1) - start(group.installed, n)).sum()
        };
        station.feeder_bays().zip(0_u64..).map(|(bay, n)| (bay, on_feeder(n))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeders_have_whole_numbers_of_customers_that_sum_to_those_of_their_station() {
        let province = Province::built_in();
        let mut uneven = 0;
        for station in &province.stations {
            let feeders = province.customers_by_feeder(station);
            let sum: u64 = feeders.iter().map(|(_, customers)| customers).sum();
            assert_eq!(sum, province.customers(station), "{}", station.id);
            assert!(feeders.iter().all(|(bay, _)| station.bays[*bay].is_feeder()));
            uneven += usize::from(feeders.iter().any(|(_, n)| *n != feeders[0].1));
        }
        assert!(uneven > 0, "where meters do not go round, feeders differ");
        assert_eq!((run_start(10, 0, 3), run_start(10, 2, 3), run_start(10, 3, 3)), (0, 6, 10));
    }
}
