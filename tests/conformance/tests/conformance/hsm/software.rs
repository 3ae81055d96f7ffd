//! The operations over keys in memory.

use std::sync::{LazyLock, Mutex, PoisonError};

use hsm::{Hsm, PoolSettings};
use tokio::runtime::{Builder, Runtime};

use super::Backend;
use super::case::{Case, Trouble, Values};
use super::operations::{self, Shelf};

/// The software backend of `hsm/operations`.
pub(super) struct Software;

static OPENED: LazyLock<Mutex<(Runtime, Hsm, Shelf)>> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let hsm = runtime.block_on(hsm::software::open(PoolSettings::default())).expect("it opens");
    Mutex::new((runtime, hsm, Shelf::default()))
});

impl Backend for Software {
    fn name(&self) -> &'static str {
        "software"
    }

    fn lacks(&self, op: &str) -> Option<&'static str> {
        operations::lacks(op)
    }

    fn keeps(&self) -> &'static [&'static str] {
        &operations::KEPT
    }

    fn run(&self, case: &Case<'_>) -> Option<Result<Values, Trouble>> {
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let (runtime, hsm, shelf) = &mut *opened;
        runtime.block_on(operations::run(hsm, shelf, case))
    }
}
