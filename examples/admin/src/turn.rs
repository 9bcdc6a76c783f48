//! Long work beside a server that is at work.

use std::thread::sleep;
use std::time::Instant;

/// Does a part of long work, and then leaves the store to others for half as long as it took.
///
/// SQLite keeps no queue: who finds the file locked looks again every tenth of a second, and gives up
/// after five. Work that took the lock again at once would be met by all of these looks.
pub(crate) fn in_turn<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    sleep(began.elapsed().checked_div(2).unwrap_or_default());
    done
}
