//! The one library of this process, and finding a token in it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;

use super::raw::Raw;
use crate::TokenProblem;

/// The library as `cryptoki` has it, and its functions.
pub(super) type Library = (Pkcs11, Arc<Raw>);

static LOADED: Mutex<Option<(PathBuf, Library)>> = Mutex::new(None);

fn loaded() -> MutexGuard<'static, Option<(PathBuf, Library)>> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library, loaded and initialised by the first caller.
pub(super) fn load(module: &Path) -> Result<Library, TokenProblem> {
    let mut loaded = loaded();
    match &*loaded {
        Some((path, library)) if path == module => return Ok(library.clone()),
        Some((path, _)) => return Err(TokenProblem::SecondModule(path.clone())),
        None => {}
    }
    let library = Pkcs11::new(module).map_err(|_| TokenProblem::Module(module.to_owned()))?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) => {}
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(TokenProblem::Initialise(error.to_string())),
    }
    let raw = Raw::load(module).ok_or_else(|| TokenProblem::Module(module.to_owned()))?;
    let library = (library, Arc::new(raw));
    *loaded = Some((module.to_owned(), library.clone()));
    Ok(library)
}

/// Gives the library up, after every [`crate::Hsm`] was closed: SoftHSM may crash at exit when its
/// cryptographic library is gone first. Blocks for as long as the library does.
pub fn finalize() {
    if let Some((_, (library, _))) = loaded().take() {
        // At the end of the process there is nobody to tell.
        let _ = library.finalize();
    }
}

/// The slot of the token with this label.
pub(super) fn slot_of(library: &Pkcs11, label: &str) -> Result<Option<Slot>, Error> {
    for slot in library.get_slots_with_initialized_token()? {
        if library.get_token_info(slot)?.label().trim_end() == label {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}
