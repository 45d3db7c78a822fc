//! How the runs of a judgement are written: for each run the points between it and the one before, its
//! length less one, both as variable-length numbers, and the two bytes of its state.

use historian::verdict_log::{Run, VerdictState};
use thiserror::Error;

/// A blob that cannot be runs.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("runs of a judgement are not readable at byte {0}")]
pub(super) struct BadRuns(usize);

/// Points beyond this are none of any contract's: guards against what a damaged file says.
const PLACES_MAX: u32 = 1 << 24;

/// The bytes of runs, which are in order.
pub(super) fn to_bytes(runs: &[Run]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * runs.len());
    let mut next = 0;
    for run in runs {
        number_to(&mut bytes, run.first - next);
        number_to(&mut bytes, run.count - 1);
        bytes.extend(run.state.bits().to_le_bytes());
        next = run.first + run.count;
    }
    bytes
}

/// The runs that bytes stand for.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Vec<Run>, BadRuns> {
    let mut runs = Vec::new();
    let (mut at, mut next) = (0, 0_u32);
    while at < bytes.len() {
        let bad = BadRuns(at);
        let (Some(skip), Some(more)) = (number_from(bytes, &mut at), number_from(bytes, &mut at))
        else {
            return Err(bad);
        };
        let state = bytes.get(at..at + 2).and_then(|two| <[u8; 2]>::try_from(two).ok());
        at += 2;
        let state = state.and_then(|two| VerdictState::from_bits(u16::from_le_bytes(two)));
        let first = next.checked_add(skip);
        let end = first.and_then(|first| first.checked_add(more)?.checked_add(1));
        match (state, first, end) {
            (Some(state), Some(first), Some(end)) if end <= PLACES_MAX => {
                runs.push(Run { first, count: more + 1, state });
                next = end;
            }
            _ => return Err(bad),
        }
    }
    Ok(runs)
}

/// Seven bits a byte, lowest first; the highest bit says that more follow.
fn number_to(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        let [.., low] = number.to_be_bytes();
        bytes.push(low | 0x80);
        number >>= 7;
    }
    let [.., low] = number.to_be_bytes();
    bytes.push(low);
}

fn number_from(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut number = 0_u32;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let part = u32::from(byte & 0x7F);
        number |= part.checked_shl(shift).filter(|shifted| shifted >> shift == part)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs() -> impl Strategy<Value = Vec<Run>> {
        let state = (0_u16..0x400).prop_filter_map("a state", VerdictState::from_bits);
        prop::collection::vec((0_u32..300, 1_u32..70_000, state), 0..30).prop_map(|parts| {
            let mut next = 0;
            let run = |(skip, count, state)| {
                let run = Run { first: next + skip, count, state };
                next = run.first + count;
                run
            };
            parts.into_iter().map(run).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(runs in runs()) {
            prop_assert_eq!(from_bytes(&to_bytes(&runs)), Ok(runs));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(runs) = from_bytes(&bytes) {
                let within = runs.iter().all(|run| run.first + run.count <= PLACES_MAX);
                prop_assert!(within && runs.len() <= bytes.len() / 4);
            }
        }
    }
}
