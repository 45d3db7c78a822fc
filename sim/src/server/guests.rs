//! Who is let in at the port of a channel, and how it is told of those who are not.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
        if let Some(line) = self.log.line(Instant::now(), peer, why) {
            tracing::warn!("{line}");
        }
    }

    /// The last line about a peer that was turned away, once.
    pub(super) fn take_line(&self) -> Option<String> {
        self.log.lock().line.take()
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(&address))
    }
}

/// When the last line was written, how many refusals had none since, and what it said.
#[derive(Default)]
struct RefusalLog(Mutex<Refusals>);

#[derive(Default)]
struct Refusals {
    last: Option<Instant>,
    unsaid: u64,
    line: Option<String>,
}

impl RefusalLog {
    fn lock(&self) -> MutexGuard<'_, Refusals> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line about a refusal, unless one was written just now; it says how many others had none.
    fn line(&self, now: Instant, peer: SocketAddr, why: &str) -> Option<String> {
        let mut state = self.lock();
        if state.last.is_some_and(|last| now.duration_since(last) < LINE_EVERY) {
            state.unsaid += 1;
            return None;
        }
        state.last = Some(now);
        let others = match std::mem::take(&mut state.unsaid) {
            0 => String::new(),
            unsaid => format!("; {unsaid} others since the last line"),
        };
        let line = format!("{peer} was turned away: {why}{others}");
        state.line = Some(line.clone());
        Some(line)
    }
}

/// A place among the connections of a channel, given back when it is dropped.
pub(super) struct Seat(Arc<Counters>);

impl Seat {
    fn take(counters: &Arc<Counters>, most: u64) -> Option<Self> {
        if counters.connections.fetch_add(1, Ordering::Relaxed) < most {
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
        let line = |ms| {
            let peer = SocketAddr::from(([192, 0, 2, 7], 1));
            log.line(start + Duration::from_millis(ms), peer, "why")
        };
        assert_eq!(line(0).unwrap(), "192.0.2.7:1 was turned away: why");
        assert_eq!((100..1_000).filter_map(line).count(), 0);
        assert!(line(1_000).unwrap().ends_with("why; 900 others since the last line"));
        assert!(line(2_000).unwrap().ends_with("why"));
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
