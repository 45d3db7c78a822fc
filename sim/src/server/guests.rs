//! Who is let in at the port of a channel, and how it is told of those who are not.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use config::LinkSettings;
use ipnet::IpNet;

use super::station::Counters;

/// Shortest time between two lines about peers that were turned away: a flood of them must not fill
/// a disk.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Who is let in at all ports of a simulation.
pub(super) struct Guests {
    allow: Vec<IpNet>,
    connections_max: u64,
    log: RefusalLog,
}

impl Guests {
    pub(super) fn new(link: &LinkSettings) -> Self {
        let connections_max = u64::from(link.connections_max);
        Self { allow: link.allow.clone(), connections_max, log: RefusalLog::default() }
    }

    /// Gives a peer a seat, unless it is turned away.
    pub(super) fn admit(&self, peer: SocketAddr, counters: &Arc<Counters>) -> Option<Seat> {
        // An IPv4 peer of a port for both kinds looks like one of IPv6.
        let address = peer.ip().to_canonical();
        if !self.allows(address) {
            self.turn_away(peer, counters, "its address is not on the list of link.allow");
            return None;
        }
        let seat = Seat::take(counters, self.connections_max);
        if seat.is_none() {
            let why =
                format!("{} connections are open, link.connections_max", self.connections_max);
            self.turn_away(peer, counters, &why);
        }
        seat
    }

    /// Counts and logs a peer that was turned away.
    pub(super) fn turn_away(&self, peer: SocketAddr, counters: &Counters, why: &str) {
        counters.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(unsaid) = self.log.line_is_due(Instant::now()) {
            let others =
                if unsaid > 0 { format!("; {unsaid} others since") } else { String::new() };
            tracing::warn!("{peer} was turned away: {why}{others}");
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(&address))
    }
}

/// When the last line was written, and how many refusals had none since.
#[derive(Default)]
struct RefusalLog(Mutex<(Option<Instant>, u64)>);

impl RefusalLog {
    /// Whether a refusal gets a line of its own; then with how many others had none before it.
    fn line_is_due(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, unsaid) = &mut *state;
        if last.is_some_and(|last| now.duration_since(last) < LINE_EVERY) {
            *unsaid += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(unsaid))
    }
}

/// A place among the connections of a channel, given back when it is dropped.
pub(super) struct Seat(Arc<Counters>);

impl Seat {
    fn take(counters: &Arc<Counters>, most: u64) -> Option<Self> {
        if counters.connections.fetch_add(1, Ordering::Relaxed) < most {
            counters.accepted.fetch_add(1, Ordering::Relaxed);
            return Some(Self(Arc::clone(counters)));
        }
        counters.connections.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_gets_one_line_a_second_that_counts_the_others() {
        let (log, start) = (RefusalLog::default(), Instant::now());
        assert_eq!(log.line_is_due(start), Some(0));
        for n in 0..900 {
            assert_eq!(log.line_is_due(start + Duration::from_millis(n)), None);
        }
        assert_eq!(log.line_is_due(start + LINE_EVERY), Some(900));
        assert_eq!(log.line_is_due(start + 2 * LINE_EVERY), Some(0));
    }

    #[test]
    fn a_list_lets_in_its_networks_and_an_empty_one_everybody() {
        let guests = |allow: &[&str]| Guests {
            allow: allow.iter().map(|network| network.parse().unwrap()).collect(),
            connections_max: 1,
            log: RefusalLog::default(),
        };
        let counters = Arc::default();
        let admits = |allow: &[&str], peer: &str| {
            guests(allow).admit(SocketAddr::new(peer.parse().unwrap(), 1), &counters).is_some()
        };
        assert!(admits(&[], "192.0.2.7"));
        assert!(admits(&["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.7"));
        assert!(admits(&["192.0.2.0/24"], "::ffff:192.0.2.7"), "the same peer, seen by IPv6");
        assert!(!admits(&["10.0.0.0/8"], "192.0.2.7"));
        assert_eq!(counters.refused.load(Ordering::Relaxed), 1);
        assert_eq!(counters.connections.load(Ordering::Relaxed), 0, "seats are given back");
    }
}
