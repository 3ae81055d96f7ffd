//! The one integration-test binary of the whole system.

mod architecture;
mod lab;
mod peers;
