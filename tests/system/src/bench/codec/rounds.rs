//! Turns: everybody runs a little, one after the other, many times.

use rustix::time::{ClockId, clock_gettime};
use testkit::KitError;

/// One turn of one contestant: nanoseconds of what it does once.
pub(super) type Turn<'a> = Box<dyn FnMut() -> Result<f64, KitError> + 'a>;

/// The best turn of each.
///
/// # Errors
/// That of a turn.
pub(super) fn best<const N: usize>(turns: &mut [Turn<'_>; N], rounds: u32) -> Result<[f64; N], KitError> {
    let mut best = [f64::INFINITY; N];
    for _ in 0..rounds {
        for (best, turn) in best.iter_mut().zip(turns.iter_mut()) {
            *best = turn()?.min(*best);
        }
    }
    Ok(best)
}

/// Does it so many times: nanoseconds of processor time of one, of this thread alone.
pub(super) fn timed(times: u32, mut once: impl FnMut()) -> f64 {
    let before = thread_ns();
    for _ in 0..times {
        once();
    }
    (thread_ns() - before) as f64 / f64::from(times)
}

fn thread_ns() -> i64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
