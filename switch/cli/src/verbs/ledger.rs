//! `switchyard ledger` and `switchyard audit` (being written).
use crate::exit::Exit;
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Trial balance.
    Trial,
}
#[derive(clap::Subcommand)]
pub(crate) enum AuditAction {
    /// Verify.
    Verify,
}
pub(crate) fn run(_a: Action) -> Result<(), Exit> {
    Ok(())
}
pub(crate) fn audit(_a: AuditAction) -> Result<(), Exit> {
    Ok(())
}
