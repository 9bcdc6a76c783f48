//! This process's own memory, and what is found in it.
//!
//! What is looked for is kept masked, and so is what was read, under another mask, so that the search finds neither
//! the one nor the other, nor the one in the other. Each half of a secret is looked for alone: an allocator
//! overwrites the beginning of what is freed.

use halfkey::{RandomSource, Secret};
use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

/// Over what is looked for.
const MASK: u8 = 0x5A;
/// Over what was read.
const READ: u8 = 0x93;
const HALF: usize = 16;
const CHUNK: usize = 1 << 20;
/// Size of the stack on which a case runs, in bytes.
const STACK: usize = 4 << 20;

/// A secret, masked.
#[derive(Clone)]
pub struct Needle {
    pub name: &'static str,
    pub masked: [u8; 32],
}

impl Needle {
    /// Takes the bytes, and leaves zeros.
    pub fn take(name: &'static str, bytes: &mut [u8; 32]) -> Self {
        let mut masked = [0; 32];
        for (slot, byte) in masked.iter_mut().zip(bytes.iter_mut()) {
            *slot = *byte ^ MASK;
            *byte = 0;
        }
        Self { name, masked }
    }

    pub fn of(name: &'static str, secret: &Secret) -> Self {
        let mut masked = [0; 32];
        for (slot, byte) in masked.iter_mut().zip(secret.expose()) {
            *slot = *byte ^ MASK;
        }
        Self { name, masked }
    }

    /// The secret, for the test's own reckoning.
    pub fn secret(&self) -> Secret {
        let mut bytes = self.masked;
        bytes.iter_mut().for_each(|byte| *byte ^= MASK);
        Secret::new(bytes)
    }
}

/// A source whose draws can be found again: all different, those of 32 bytes kept, masked.
pub struct Known {
    next: u64,
    draws: Draws,
}

pub type Draws = Arc<Mutex<Vec<Needle>>>;

impl Known {
    pub fn new(seed: u64) -> (Self, Draws) {
        let draws = Draws::default();
        (Self { next: seed << 32, draws: Arc::clone(&draws) }, draws)
    }
}

impl RandomSource for Known {
    fn fill(&mut self, out: &mut [u8]) {
        for slot in out.chunks_mut(8) {
            self.next += 1;
            // SplitMix64.
            let mut z = self.next.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            slot.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..slot.len()]);
        }
        if let Ok(drawn) = <&[u8; 32]>::try_from(&*out) {
            let mut masked = [0; 32];
            for (slot, byte) in masked.iter_mut().zip(drawn) {
                *slot = *byte ^ MASK;
            }
            self.draws.lock().unwrap().push(Needle { name: "draw", masked });
        }
    }
}

/// Numbers of places where a secret was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub heap: usize,
    /// In the case's own stack. What dead frames hold is overwritten by the next calls, and no safe Rust does it
    /// before.
    pub stack: usize,
}

/// Runs a case on a stack of which the place is known.
///
/// One case at a time: what one search has just read is what another looks for.
pub fn on_a_known_stack(case: fn(&Search)) {
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let run = move || {
        let here = 0_u8;
        let top = &raw const here as usize;
        case(&Search { stack: top - STACK + 4096..top + 4096 });
    };
    std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap();
}

#[derive(Clone)]
pub struct Search {
    stack: Range<usize>,
}

impl Search {
    /// Shows that each secret is in memory.
    pub fn finds(&self, needles: &[Needle]) {
        for (needle, found) in needles.iter().zip(self.look(needles)) {
            assert!(found.heap > 0, "{} is not found where it is: {found:?}", needle.name);
        }
    }

    /// Shows that no secret is in memory any more.
    pub fn finds_none_of(&self, needles: &[Needle]) {
        let before = self.look(needles);
        overwrite_dead_frames();
        for ((needle, found), before) in needles.iter().zip(self.look(needles)).zip(before) {
            println!("{}: {before:?}, and then {found:?}", needle.name);
            assert_eq!(found, Found::default(), "{} is still there", needle.name);
        }
    }

    fn look(&self, needles: &[Needle]) -> Vec<Found> {
        let halves: Vec<(usize, [u8; HALF])> = needles
            .iter()
            .enumerate()
            .flat_map(|(n, needle)| needle.masked.as_chunks::<HALF>().0.iter().map(move |half| (n, *half)))
            .collect();
        let mut starts = vec![false; 1 << 16];
        for (_, half) in &halves {
            starts[start(&[half[0] ^ MASK ^ READ, half[1] ^ MASK ^ READ])] = true;
        }
        let memory = fs::File::open("/proc/self/mem").unwrap();
        let mut found = vec![Found::default(); needles.len()];
        let mut chunk = vec![0; CHUNK];
        for region in regions() {
            let mut at = region.start;
            while at + HALF <= region.end {
                let length = CHUNK.min(region.end - at);
                let part = &mut chunk[..length];
                // What cannot be read, or is gone meanwhile, is passed over.
                if memory.read_exact_at(part, at as u64).is_ok() {
                    part.iter_mut().for_each(|byte| *byte ^= READ);
                    self.look_into(part, at, &starts, &halves, &mut found);
                }
                at += if length == CHUNK { CHUNK - HALF + 1 } else { length };
            }
        }
        found
    }

    fn look_into(
        &self,
        part: &[u8],
        at: usize,
        starts: &[bool],
        halves: &[(usize, [u8; HALF])],
        found: &mut [Found],
    ) {
        for (place, window) in part.windows(HALF).enumerate() {
            if !starts[start(window)] {
                continue;
            }
            for (n, half) in halves {
                if window.iter().zip(half).all(|(read, half)| read ^ READ ^ MASK == *half) {
                    let on_stack = self.stack.contains(&(at + place));
                    let Found { heap, stack } = &mut found[*n];
                    *(if on_stack { stack } else { heap }) += 1;
                }
            }
        }
    }
}

fn start(window: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([window[0], window[1]]))
}

/// Memory that this process can write to.
fn regions() -> Vec<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let region = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        rest.starts_with("rw").then_some(address(start)?..address(end)?)
    };
    maps.lines().filter_map(region).collect()
}

/// Calls deep, so that what earlier calls left on the stack is overwritten.
#[inline(never)]
fn overwrite_dead_frames() {
    let frame = [MASK; STACK / 2];
    black_box(&frame);
}
