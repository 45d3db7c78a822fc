//! A channel without a network: what its server answers to the bytes of a client, in whatever time the
//! client lives.
//!
//! The answers are those of `connection`, faults of the wire included. Only their way differs, which
//! is the caller's: nothing here waits.

use std::time::Duration;

use super::connection::{Input, Next, answer_all};
use super::station::{Counters, Rights};
use crate::telemetry::image::Image;

/// The port of a channel. It lasts: some faults hit the n-th request, whatever the connection.
#[derive(Default)]
pub struct Port {
    counters: Counters,
}

/// A connection to a channel.
pub struct Visit {
    input: Input,
    /// Sent, and not yet looked at.
    waiting: Vec<u8>,
}

/// What a station does when it has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It waits for more.
    Waits,
    /// It sends these pieces, each after its pause, and does nothing else meanwhile. What has come
    /// by then is answered next.
    Pieces(Vec<(Duration, Vec<u8>)>),
    /// It resets the connection; the answers do not leave any more.
    Resets,
    /// It closes the connection when the answers have left: what came is no Modbus, or is a write.
    Closes,
}

impl Port {
    /// A connection, unless the port is closed. A write is not answered over it: the field is stepped
    /// by somebody else.
    pub fn visit(&self, image: &Image) -> Option<Visit> {
        self.is_open(image).then(|| Visit { input: Input::new(), waiting: Vec::new() })
    }

    /// Whether connections are taken, and those that were are still open.
    pub fn is_open(&self, image: &Image) -> bool {
        !image.conduct().closed
    }

    /// Answers what was sent over a connection, from the image of this moment: the answers that leave
    /// at once are appended to `output`.
    pub fn answer(&self, visit: &mut Visit, image: &Image, output: &mut Vec<u8>) -> Then {
        loop {
            let taken = visit.input.take(&visit.waiting);
            visit.waiting.drain(..taken);
            match answer_all(&self.counters, image, Rights::ALL, &mut visit.input, output) {
                Next::Fill if visit.waiting.is_empty() => return Then::Waits,
                Next::Fill => {}
                Next::Pieces(pieces) => return Then::Pieces(pieces),
                Next::Reset => return Then::Resets,
                Next::Write(..) | Next::Broken(_) => return Then::Closes,
            }
        }
    }
}

impl Visit {
    /// Requests, or parts of them, arrive.
    pub fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use config::{ChannelId, Province};

    use super::*;
    use crate::faults::{FaultKind, FaultSettings, Injection};
    use crate::field::Field;

    const CHANNEL: ChannelId = ChannelId(0);
    const READ: [u8; 12] = [0, 7, 0, 0, 0, 6, 1, 2, 0, 0, 0, 2];

    fn field() -> Field {
        let mut field = Field::new(Arc::new(Province::built_in()));
        field.step(1_669_188_727_000);
        field
    }

    fn inject(field: &mut Field, kind: FaultKind, words: &[(&str, &str)]) {
        let mut settings = FaultSettings::of(kind);
        for (name, value) in words {
            settings.set(name, value).unwrap();
        }
        let (target, centre) = (field.province().stations[0].id.clone(), None);
        field.inject(&Injection { kind, target, centre, for_ms: None, settings }).unwrap();
    }

    fn ask(field: &Field, requests: &[&[u8]]) -> (Vec<u8>, Then) {
        let (port, image) = (Port::default(), field.image(CHANNEL));
        let mut visit = port.visit(&image).unwrap();
        for request in requests {
            visit.send(request);
        }
        let mut output = Vec::new();
        let then = port.answer(&mut visit, &image, &mut output);
        (output, then)
    }

    #[test]
    fn whole_requests_are_answered_and_the_rest_is_waited_for() {
        let field = field();
        let answer = [0, 7, 0, 0, 0, 4, 1, 2, 1, 2];
        assert_eq!(ask(&field, &[&READ]), (answer.to_vec(), Then::Waits));
        assert_eq!(ask(&field, &[&READ, &READ[..5]]), (answer.to_vec(), Then::Waits));
        let many = READ.repeat(200);
        assert_eq!(ask(&field, &[&many]), (answer.repeat(200), Then::Waits), "more than is taken");
        assert_eq!(ask(&field, &[b"GET / HTTP/1.1"]), (Vec::new(), Then::Closes));
    }

    #[test]
    fn faults_of_the_wire_come_true() {
        let mut field = field();
        inject(&mut field, FaultKind::HalfOpen, &[]);
        assert_eq!(ask(&field, &[&READ]), (Vec::new(), Then::Waits), "it swallows requests");
        let mut field = self::field();
        inject(&mut field, FaultKind::Reset, &[("every", "2")]);
        assert_eq!(ask(&field, &[&READ]).1, Then::Waits);
        assert_eq!(ask(&field, &[&READ, &READ]).1, Then::Resets);
        let mut field = self::field();
        inject(&mut field, FaultKind::LateReply, &[("every", "1"), ("ms", "1500")]);
        let (output, then) = ask(&field, &[&READ]);
        let Then::Pieces(pieces) = then else { panic!("{then:?}") };
        assert_eq!((output.len(), pieces.len()), (0, 1));
        assert_eq!(pieces[0].0, Duration::from_millis(1_500));
        let mut field = self::field();
        inject(&mut field, FaultKind::ChannelLost, &[]);
        assert!(Port::default().visit(&field.image(CHANNEL)).is_none());
    }
}
