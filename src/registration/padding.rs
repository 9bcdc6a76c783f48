//! Padding of what R2 and R3 seal: `length(4) ‖ text ‖ zeros`, so that lengths tell little.

use alloc::vec::Vec;
use zeroize::Zeroizing;

/// The step of padded lengths, in bytes.
const STEP: usize = 256;

/// Pads to the next multiple of 256 bytes; `None` beyond `max`.
pub(super) fn pad(text: &[u8], max: usize) -> Option<Zeroizing<Vec<u8>>> {
    let length = padded_len(text)?;
    if length > max { None } else { pad_to(text, length) }
}

/// The length to which [`pad`] pads a text.
pub(super) fn padded_len(text: &[u8]) -> Option<usize> {
    text.len().checked_add(4)?.checked_next_multiple_of(STEP)
}

/// Pads to exactly `length` bytes; `None` when the text does not fit.
pub(super) fn pad_to(text: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    if text.len().checked_add(4)? > length {
        return None;
    }
    let mut padded = Zeroizing::new(Vec::with_capacity(length.checked_add(16)?));
    padded.extend_from_slice(&u32::try_from(text.len()).ok()?.to_be_bytes());
    padded.extend_from_slice(text);
    padded.resize(length, 0);
    Some(padded)
}

/// The text in a padded one; `None` when the padding is not as [`pad`] makes it.
pub(super) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let (length, rest) = padded.split_first_chunk::<4>()?;
    let (text, zeros) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (padded.len().is_multiple_of(STEP) && zeros.iter().all(|byte| *byte == 0)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_and_unpads() {
        for length in [0, 1, 251, 252, 253, 4000] {
            let text = alloc::vec![7; length];
            let padded = pad(&text, 8192).unwrap();
            assert_eq!(padded.len() % STEP, 0);
            assert_eq!(unpad(&padded), Some(text.as_slice()));
        }
        assert_eq!(pad_to(&[7; 253], 256), None);
        let mut padded = pad(&[7; 10], 256).unwrap();
        *padded.last_mut().unwrap() = 1;
        assert_eq!(unpad(&padded), None);
        assert_eq!(unpad(&[0, 0]), None);
        assert_eq!(unpad(&[255; 256]), None);
    }
}
