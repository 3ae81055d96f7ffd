//! Virtual time: nanoseconds since a history began.

/// Nanoseconds of virtual time.
pub(crate) type Time = u64;

/// A millisecond.
pub(crate) const MS: Time = 1_000_000;
/// A second.
pub(crate) const SEC: Time = 1_000 * MS;

/// Seconds and milliseconds, for stories.
pub(crate) fn shown(at: Time) -> String {
    format!("{:>5}.{:03}", at / SEC, at % SEC / MS)
}
