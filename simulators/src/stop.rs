//! When a simulator has to end: SIGTERM, SIGINT, or the end of standard input where asked for, so
//! that it never outlives what started it.

use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::Error;

/// Resolves when the program has to end.
pub async fn requested(stdin_close: bool) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::io("listening to SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::io("listening to SIGINT"))?;
    let input_ended = async {
        match stdin_close {
            true => stdin_ends().await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = input_ended => {}
    }
    Ok(())
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
