//! The only place that asks what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use payments::{Mono, Now, Wall};

/// Both clocks, with one origin for monotonic time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        Now { mono: self.mono(), wall }
    }

    pub(crate) fn mono(&self) -> Mono {
        Mono::default().after(self.origin.elapsed())
    }

    /// The instant of a monotonic time, for tokio's timers.
    pub(crate) fn instant(&self, at: Mono) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.origin + Duration::from_nanos(at.0))
    }
}
