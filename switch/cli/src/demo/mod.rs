//! `switchyard demo` (being written).
use crate::exit::Exit;
/// Demo.
#[derive(clap::Args)]
pub(crate) struct Arguments {}
pub(crate) fn run(_arguments: Arguments) -> Result<(), Exit> {
    Ok(())
}
