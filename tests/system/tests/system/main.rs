//! The one integration-test binary of the whole system.

mod architecture;
mod crash;
mod death;
mod hostile;
mod keys;
mod lab;
mod operator;
mod owed;
mod peers;
mod secrets;
