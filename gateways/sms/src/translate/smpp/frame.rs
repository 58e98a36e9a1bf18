//! Bytes into PDUs, however they arrive.

use super::pdu::HEADER;

/// Largest PDU that is read. The largest sensible one holds a `message_payload` of 64 KiB.
pub const LARGEST: u32 = 0x0001_0400;

/// What the bytes hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole PDU, header included.
    Pdu(Vec<u8>),
    /// The header of a PDU that is too large; its body is being skipped.
    Oversized([u8; HEADER]),
    /// A length below that of a header: where the next PDU begins is not known any more.
    Broken,
}

/// Cuts a stream of bytes.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes before this one have been returned.
    start: usize,
    /// Bytes still to come of a PDU that is skipped.
    skip: usize,
}

impl Framer {
    /// Adds what was read.
    pub fn extend(&mut self, bytes: &[u8]) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        if self.start > 0 && self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.buffer.extend_from_slice(&bytes[skipped..]);
    }

    /// The next PDU, if it is whole.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let rest = &self.buffer[self.start..];
        let length = u32::from_be_bytes(rest.first_chunk::<4>().copied()?);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size < HEADER {
            return Some(Frame::Broken);
        }
        if length > LARGEST {
            let header = rest.first_chunk::<HEADER>().copied()?;
            let there = size.min(rest.len());
            self.skip = size - there;
            self.start += there;
            return Some(Frame::Oversized(header));
        }
        let pdu = rest.get(..size)?.to_vec();
        self.start += size;
        self.tidy();
        Some(Frame::Pdu(pdu))
    }

    /// Gives room back without moving bytes for every PDU.
    fn tidy(&mut self) {
        if self.start > 16 * 1024 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pdu(length: u32, body: usize) -> Vec<u8> {
        let mut pdu = length.to_be_bytes().to_vec();
        pdu.extend([0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7]);
        pdu.resize(pdu.len() + body, 0xaa);
        pdu
    }

    fn frames(bytes: &[u8], chunk: usize) -> Vec<Frame> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for chunk in bytes.chunks(chunk) {
            framer.extend(chunk);
            while let Some(frame) = framer.next_frame() {
                let broken = frame == Frame::Broken;
                frames.push(frame);
                if broken {
                    return frames;
                }
            }
        }
        frames
    }

    #[test]
    fn an_oversized_pdu_is_skipped_and_the_next_one_is_read() {
        let size = LARGEST + 1;
        let mut bytes = pdu(size, usize::try_from(size).expect("fits") - HEADER);
        bytes.extend(pdu(16, 0));
        for chunk in [1, 7, 4096, bytes.len()] {
            let frames = frames(&bytes, chunk);
            assert_eq!(frames.len(), 2, "in chunks of {chunk}");
            assert!(matches!(frames[0], Frame::Oversized(_)));
            assert_eq!(frames[1], Frame::Pdu(pdu(16, 0)));
        }
    }

    #[test]
    fn a_length_below_sixteen_cannot_be_recovered_from() {
        assert_eq!(frames(&pdu(8, 0), 16), [Frame::Broken]);
    }

    proptest! {
        #[test]
        fn the_cut_does_not_depend_on_how_bytes_arrive(
            sizes in prop::collection::vec(0usize..300, 0..20), chunk in 1usize..400
        ) {
            let mut bytes = Vec::new();
            for size in &sizes {
                let length = u32::try_from(size + HEADER).expect("small");
                bytes.extend(pdu(length, *size));
            }
            let expected: Vec<_> = sizes.iter().map(|size| size + HEADER).collect();
            let got: Vec<_> = frames(&bytes, chunk).into_iter().map(|frame| match frame {
                Frame::Pdu(pdu) => pdu.len(),
                _ => 0,
            }).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
