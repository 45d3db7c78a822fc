//! Requests of any bytes: what holds for all of them (see `sim::trial`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

/// Something like a request, or not at all like one.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let address = prop_oneof![0..300_u16, 0xE000..=0xFFFF_u16, any::<u16>()];
    let count = prop_oneof![0..130_u16, any::<u16>()];
    let read = (1..=4_u8, address.clone(), count).prop_map(|(function, address, count)| {
        let ([a, b], [c, d]) = (address.to_be_bytes(), count.to_be_bytes());
        vec![function, a, b, c, d]
    });
    let write =
        (address, prop::collection::vec(any::<u16>(), 0..10)).prop_map(|(address, values)| {
            let ([a, b], [c, d]) =
                (address.to_be_bytes(), u16::try_from(values.len()).unwrap().to_be_bytes());
            let bytes = values.iter().flat_map(|value| value.to_be_bytes());
            [0x10, a, b, c, d, u8::try_from(2 * values.len()).unwrap()]
                .into_iter()
                .chain(bytes)
                .collect()
        });
    let pdu = prop_oneof![4 => read, 2 => write, 1 => prop::collection::vec(any::<u8>(), 1..253)];
    let unit = prop_oneof![0..12_u8, any::<u8>()];
    let frame = (any::<u16>(), unit, pdu).prop_map(|(transaction, unit, pdu)| {
        let ([a, b], [c, d]) =
            (transaction.to_be_bytes(), u16::try_from(pdu.len() + 1).unwrap().to_be_bytes());
        [&[a, b, 0, 0, c, d, unit][..], &pdu].concat()
    });
    prop_oneof![20 => frame, 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

proptest! {
    #[test]
    fn every_request_gets_its_answer_in_its_turn(
        first in any::<u8>(),
        requests in prop::collection::vec(request(), 0..120),
    ) {
        let bytes: Vec<u8> = std::iter::once(first).chain(requests.concat()).collect();
        sim::trial(&bytes);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        sim::trial(&bytes);
    }
}
