//! SoftHSM finds its token by an environment variable that must stand before the library is loaded:
//! a verb that needs the token starts itself again with it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use hsm::pkcs11::softhsm::TokenDirectory;

use crate::exit::{CONFIG, Exit, IO, OrExit};

/// Prepares the token's directory, and starts this very program again when its environment does not
/// name it yet.
pub(crate) fn enter(directory: &Path) -> Result<TokenDirectory, Exit> {
    let token = TokenDirectory::prepare(directory).or_exit(CONFIG)?;
    if token.is_active() {
        return Ok(token);
    }
    let (variable, value) = token.environment();
    let program = std::env::current_exe().or_exit(IO)?;
    let error = Command::new(program).args(std::env::args_os().skip(1)).env(variable, value).exec();
    Err(Exit::new(IO, format!("cannot start again with {variable}: {error}")))
}

/// A runtime for one command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(IO)
}
