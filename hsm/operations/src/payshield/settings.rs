//! Which HSMs there are, and how long anything may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Connections, bounds and patience. The section `[hsm.hosts]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSettings {
    /// Addresses of the HSMs, `host:port`. All hold the same local master keys.
    pub hsms: Vec<String>,
    /// Connections to each.
    pub connections: usize,
    /// Commands on one connection that have no answer yet, at most.
    pub in_flight: usize,
    /// Operations that may wait for room on a connection; more are refused as busy.
    pub queue: usize,
    /// How long an operation of a payment may take, waiting included, in milliseconds.
    pub deadline_ms: u64,
    /// As `deadline_ms`, for key management.
    pub admin_deadline_ms: u64,
    /// How long connecting and the first diagnostics may take.
    pub connect_ms: u64,
    /// After so long without an answer a connection is probed by diagnostics.
    pub probe_ms: u64,
    /// How long the answer to a probe may take.
    pub probe_deadline_ms: u64,
    /// Shortest pause before connecting again; it doubles each time.
    pub reconnect_ms: u64,
    /// Longest such pause.
    pub reconnect_most_ms: u64,
    /// How often an operation goes to another connection after its own was lost. Every command here may be
    /// done twice without harm.
    pub retries: usize,
    /// Commands past their deadline on one connection after which it is given up.
    pub late: usize,
    /// Decimalisation tables that may be used, 16 digits each. Chosen tables tell PINs apart.
    pub decimalisation_tables: Vec<String>,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            hsms: Vec::new(),
            connections: 2,
            in_flight: 32,
            queue: 1024,
            deadline_ms: 1_000,
            admin_deadline_ms: 10_000,
            connect_ms: 2_000,
            probe_ms: 5_000,
            probe_deadline_ms: 2_000,
            reconnect_ms: 100,
            reconnect_most_ms: 5_000,
            retries: 3,
            late: 8,
            decimalisation_tables: Vec::new(),
        }
    }
}

impl HostSettings {
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(super) fn admin_deadline(&self) -> Duration {
        Duration::from_millis(self.admin_deadline_ms)
    }

    /// The pause before the next attempt to connect: doubled each time, the upper half of it by chance so
    /// that many clients do not come back at once.
    pub(super) fn pause(&self, attempt: u32, chance: u64) -> Duration {
        let doubled = self.reconnect_ms.max(1).saturating_mul(1 << attempt.min(16));
        let whole = doubled.min(self.reconnect_most_ms.max(1));
        let half = whole / 2;
        Duration::from_millis(half + chance % (whole - half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_differ_by_chance() {
        let settings = HostSettings { reconnect_ms: 100, reconnect_most_ms: 1_000, ..HostSettings::default() };
        for chance in [0, 1, 77, u64::MAX] {
            assert!((50..=100).contains(&settings.pause(0, chance).as_millis()));
            assert!((100..=200).contains(&settings.pause(1, chance).as_millis()));
            assert!((500..=1_000).contains(&settings.pause(u32::MAX, chance).as_millis()));
        }
        assert_ne!(settings.pause(3, 0), settings.pause(3, 399));
        let none = HostSettings { reconnect_ms: 0, reconnect_most_ms: 0, ..HostSettings::default() };
        assert!(none.pause(9, 9).as_millis() <= 1);
    }
}
