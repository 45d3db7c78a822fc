//! Frames of Modbus TCP: where one ends, whether it is a request, and the frames of answers.

/// Header of Modbus TCP: transaction, protocol, length, unit.
pub(super) const HEADER: usize = 7;
/// Longest frame: header and 253 bytes (specification V1.1b3, section 4.1).
pub(super) const FRAME_MAX: usize = 260;

/// What to do with a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not all of it is here.
    Incomplete,
    /// A request: so many bytes.
    Good(usize),
    /// Answer with this exception: so many bytes are the frame.
    Answer(usize, u8),
    /// The stream cannot be trusted.
    Broken(&'static str),
}

/// Looks at the first frame of a stream.
pub(super) fn judge(bytes: &[u8]) -> Verdict {
    if bytes.len() >= 4 && bytes[2..4] != [0, 0] {
        return Verdict::Broken("the protocol is not Modbus");
    }
    if bytes.len() < HEADER - 1 {
        return Verdict::Incomplete;
    }
    // The length counts the unit and the PDU: at least a function, at most 253 bytes.
    let length = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    if !(2..=FRAME_MAX - HEADER + 1).contains(&length) {
        return Verdict::Broken("no frame has this length");
    }
    let end = HEADER - 1 + length;
    if bytes.len() < end {
        return Verdict::Incomplete;
    }
    let pdu = &bytes[HEADER..end];
    let word = |at: usize| usize::from(u16::from_be_bytes([pdu[at], pdu[at + 1]]));
    let fits = match pdu[0] {
        1..=5 => pdu.len() == 5,
        0x10 => pdu.len() >= 6 && word_bytes(pdu, 2 * word(3)),
        // Functions that a station does not have are refused as such, whatever follows.
        _ => true,
    };
    if fits { Verdict::Good(end) } else { Verdict::Answer(end, 3) }
}

/// Whether a write of several cells has as many bytes as it says.
fn word_bytes(pdu: &[u8], bytes: usize) -> bool {
    usize::from(pdu[5]) == bytes && pdu.len() == 6 + bytes
}

/// A frame that `tell` completes behind its function is added to `out`: an answer to `request`,
/// which is a whole frame, or the exception that `tell` comes to.
pub(super) fn answer(
    request: &[u8],
    out: &mut Vec<u8>,
    tell: impl FnOnce(&mut Vec<u8>) -> Result<(), u8>,
) -> Result<(), u8> {
    let start = out.len();
    let [high, low, .., unit, function] = request[..=HEADER] else { return Err(1) };
    out.extend([high, low, 0, 0, 0, 0, unit, function]);
    let told = tell(out);
    if let Err(code) = told {
        out.truncate(start + HEADER);
        out.extend([function | 0x80, code]);
    }
    // An answer is at most as long as a frame.
    let length = u16::try_from(out.len() - start - HEADER + 1).unwrap_or(0);
    out[start + 4..start + 6].copy_from_slice(&length.to_be_bytes());
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(pdu: &[u8]) -> Vec<u8> {
        let length = u16::try_from(pdu.len() + 1).unwrap().to_be_bytes();
        [&[0, 1, 0, 0, length[0], length[1], 1], pdu].concat()
    }

    #[test]
    fn frames_are_judged_by_length_and_function() {
        let good = frame(&[4, 0, 0, 0, 2]);
        assert_eq!(judge(&good), Verdict::Good(12));
        for short in 0..good.len() {
            assert_eq!(judge(&good[..short]), Verdict::Incomplete);
        }
        assert_eq!(judge(&frame(&[4, 0, 0, 0])), Verdict::Answer(11, 3));
        assert_eq!(judge(&frame(&[4, 0, 0, 0, 2, 9])), Verdict::Answer(13, 3));
        // Two registers announced, one of them there.
        assert_eq!(judge(&frame(&[0x10, 0, 0, 0, 2, 2, 0, 7])), Verdict::Answer(15, 3));
        for function in [6, 0x0F, 0x16, 0x17, 0x2B] {
            assert_eq!(judge(&frame(&[function])), Verdict::Good(8), "it is refused later");
        }
        assert_eq!(judge(&[0, 1, 0, 9]), Verdict::Broken("the protocol is not Modbus"));
        for length in [0_u16, 1, 255, u16::MAX] {
            let [high, low] = length.to_be_bytes();
            let broken = Verdict::Broken("no frame has this length");
            assert_eq!(judge(&[0, 1, 0, 0, high, low]), broken);
        }
    }

    #[test]
    fn an_answer_has_the_header_of_its_request_and_its_own_length() {
        let mut out = b"before".to_vec();
        let mut request = frame(&[4, 0, 0, 0, 2]);
        request[..2].copy_from_slice(&[0xAB, 0xCD]);
        let tell = |out: &mut Vec<u8>| {
            out.extend([2, 7, 8]);
            Ok(())
        };
        assert_eq!(answer(&request, &mut out, tell), Ok(()));
        assert_eq!(out[6..], [0xAB, 0xCD, 0, 0, 0, 5, 1, 4, 2, 7, 8]);
        let refuse = |out: &mut Vec<u8>| {
            out.extend([9; 5]);
            Err(2)
        };
        assert_eq!(answer(&request, &mut out, refuse), Err(2));
        assert_eq!(out[17..], [0xAB, 0xCD, 0, 0, 0, 3, 1, 0x84, 2]);
    }
}
