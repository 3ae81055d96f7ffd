//! What callers say when they ask for an operation: where a PIN comes from and goes to, how a MAC is made,
//! what a card shows. One module for each noun.

mod capabilities;
mod card;
mod chip;
mod mac;
mod pin;
mod seal;

pub use capabilities::{Capabilities, Operation};
pub use card::{Contactless, Track};
pub use chip::{ArpcAnswer, ChipCard, ChipTransaction};
pub use mac::{DataSource, MacDirection, MacMethod, MacSource, Padding};
pub use pin::{Format, PinReference, PinSource, PinTarget, Verified};
pub use seal::{DataKey, WrappedDataKey};
