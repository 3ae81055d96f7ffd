//! When a simulator has to end: on request it finishes what it began; when whoever started it is gone
//! it ends at once, so that it never outlives its parent.

use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::Error;

/// Resolves when the program is asked to end: SIGTERM or SIGINT.
pub async fn requested() -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::io("listening to SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::io("listening to SIGINT"))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Runs `work`; drops it where it stands when standard input ends, where that is `watched`. Nobody is
/// left then who could read a summary, and the books are whole at every moment.
pub async fn unless_abandoned<T>(watched: bool, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    if !watched {
        return work.await;
    }
    tokio::select! {
        done = work => done,
        () = stdin_ends() => Err(Error::Abandoned),
    }
}

/// A thread of its own reads standard input: a blocking task of the runtime would keep it from
/// ending.
async fn stdin_ends() {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut ignored = [0; 256];
        while std::io::stdin().read(&mut ignored).is_ok_and(|count| count > 0) {}
        // Nobody listens any more when the program is ending for another reason.
        let _ = ended.send(());
    });
    // A thread that could not report ended too.
    let _ = end.await;
}
