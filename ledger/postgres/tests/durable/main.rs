//! What only a real server can show. Crash tests own a cluster; all others share one and take a
//! database each.

mod cluster;
mod scratch;
