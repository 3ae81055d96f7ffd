//! Measurements. Every figure stands beside a limit or a peer that was measured in the same run, as a
//! ratio; above 1 is better than what it is held against.
#![allow(clippy::float_arithmetic, reason = "times and ratios; there is no money here")]

pub mod codec;
mod dialects;
pub mod hsm;
pub mod machine;
pub mod record;
pub mod switch;

use serde::Serialize;

/// One figure, one line with `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// `group/name`.
    pub bench: String,
    /// What was measured.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is held against.
    pub against: &'static str,
    /// The value of that, same unit.
    pub against_value: f64,
    /// Above 1 is better.
    pub ratio: f64,
}

impl Figure {
    /// A figure of which more is better.
    pub fn more(bench: impl Into<String>, value: f64, unit: &'static str, against: &'static str, against_value: f64) -> Self {
        Self { bench: bench.into(), value, unit, against, against_value, ratio: rounded(value / against_value) }
    }

    /// A figure of which less is better.
    pub fn less(bench: impl Into<String>, value: f64, unit: &'static str, against: &'static str, against_value: f64) -> Self {
        Self { bench: bench.into(), value, unit, against, against_value, ratio: less(value, against_value) }
    }
}

/// What is exactly what it is held against, nothing too, is as good.
fn less(value: f64, against_value: f64) -> f64 {
    if value == against_value { 1.0 } else { rounded(against_value / value) }
}

/// Two decimals; a ratio to nothing is 0, which JSON can say.
fn rounded(ratio: f64) -> f64 {
    if ratio.is_finite() { (ratio * 100.0).round() / 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_above_one_is_better_whether_more_or_less_is_good() {
        assert!(Figure::more("a/b", 3.0, "1/s", "limit", 2.0).ratio > 1.0);
        assert!(Figure::less("a/b", 2.0, "ms", "limit", 3.0).ratio > 1.0);
        assert!(Figure::less("a/b", 0.0, "ms", "limit", 3.0).ratio < 1.0);
        assert_eq!(Figure::less("a/b", 0.0, "allocations", "most", 0.0).ratio, 1.0);
    }
}
