//! A socket between store and server that cuts a connection after so many bytes.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const NAME: &str = ".s.PGSQL.5432";

/// How many more bytes pass in each direction; what lies beyond is lost, and the connection with it.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) to_server: AtomicI64,
    pub(crate) to_store: AtomicI64,
}

impl Budget {
    /// Everything passes.
    pub(crate) fn open(&self) {
        self.to_server.store(i64::MAX, Ordering::SeqCst);
        self.to_store.store(i64::MAX, Ordering::SeqCst);
    }

    /// How many bytes went to the server and to the store since [`Budget::open`].
    pub(crate) fn used(&self) -> (i64, i64) {
        (i64::MAX - self.to_server.load(Ordering::SeqCst), i64::MAX - self.to_store.load(Ordering::SeqCst))
    }
}

/// Listens in `folder` for connections to the server in `server`.
pub(crate) fn start(folder: &Path, server: &Path) -> Arc<Budget> {
    let budget = Arc::new(Budget { to_server: AtomicI64::new(0), to_store: AtomicI64::new(0) });
    budget.open();
    let listener = UnixListener::bind(folder.join(NAME)).unwrap();
    let (server, shared): (PathBuf, _) = (server.join(NAME), Arc::clone(&budget));
    std::thread::spawn(move || {
        for store in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&server) else { continue };
            for (from, to, back) in [(&store, &server, false), (&server, &store, true)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let budget = Arc::clone(&shared);
                std::thread::spawn(move || pass(from, to, if back { &budget.to_store } else { &budget.to_server }));
            }
        }
    });
    budget
}

fn pass(mut from: UnixStream, mut to: UnixStream, budget: &AtomicI64) {
    let mut room = [0; 8192];
    while let Ok(read) = from.read(&mut room) {
        let length = i64::try_from(read).unwrap();
        let left = budget.fetch_sub(length, Ordering::SeqCst);
        let allowed = usize::try_from(left.clamp(0, length)).unwrap();
        if read == 0 || to.write_all(&room[..allowed]).is_err() || allowed < read {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
