//! The one integration-test binary of the whole system.

mod architecture;
mod crash;
mod death;
mod demo;
mod hostile;
mod keys;
mod lab;
mod links;
mod operator;
mod owed;
mod peers;
mod secrets;
