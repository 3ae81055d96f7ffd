//! `switchyard clearing` (being written).
use crate::exit::Exit;
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Build.
    Build,
}
#[derive(clap::Subcommand)]
pub(crate) enum ReconAction {
    /// Run.
    Run,
}
pub(crate) fn run(_a: Action) -> Result<(), Exit> {
    Ok(())
}
pub(crate) fn recon(_a: ReconAction) -> Result<(), Exit> {
    Ok(())
}
