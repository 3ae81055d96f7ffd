//! A private SoftHSM token in a directory of our own: configuration, PIN files, initialisation.
//!
//! SoftHSM reads the path of its configuration from `SOFTHSM2_CONF` when it is initialised, and a
//! process cannot safely set its own environment. So the program prepares the directory, looks whether
//! the variable is right, and if not starts itself again with it set.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use zeroize::{Zeroize, Zeroizing};

use super::{Settings, library};
use crate::{HsmError, TokenProblem};

/// The variable that SoftHSM reads.
pub const VARIABLE: &str = "SOFTHSM2_CONF";

/// A directory with a token store, its configuration and PIN files, for our eyes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDirectory {
    root: PathBuf,
}

impl TokenDirectory {
    /// Makes what is missing in `root`: the store `tokens`, `softhsm2.conf`, and `user-pin` and `so-pin`
    /// with random PINs. What is there already stays.
    pub fn prepare(root: &Path) -> Result<Self, TokenProblem> {
        let root = std::path::absolute(root).map_err(|error| problem(root, &error))?;
        // The configuration has one setting per line and no quoting.
        if root.to_str().is_none_or(|text| text.contains(['\n', '\r', '#'])) {
            return Err(TokenProblem::Directory { path: root, problem: "choose a path of plain characters".to_owned() });
        }
        let directory = Self { root };
        let store = directory.root.join("tokens");
        // Ours alone from `root` down; what lies above belongs to others too (the database's account).
        if let Some(above) = directory.root.parent() {
            fs::create_dir_all(above).map_err(|error| problem(above, &error))?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&store).map_err(|error| problem(&store, &error))?;
        let text = format!(
            "# Written by switchyard; removed lines come back.\n\
             directories.tokendir = {}\n\
             objectstore.backend = file\n\
             log.level = ERROR\n\
             slots.removable = false\n\
             slots.mechanisms = ALL\n\
             library.reset_on_fork = false\n",
            store.display()
        );
        let path = directory.configuration();
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            fs::write(&path, text).map_err(|error| problem(&path, &error))?;
        }
        for path in [directory.user_pin_file(), directory.so_pin_file()] {
            write_new_pin(&path)?;
        }
        Ok(directory)
    }

    /// The configuration: what [`VARIABLE`] must say.
    pub fn configuration(&self) -> PathBuf {
        self.root.join("softhsm2.conf")
    }

    /// The file with the user PIN, for [`Settings::pin_file`].
    pub fn user_pin_file(&self) -> PathBuf {
        self.root.join("user-pin")
    }

    /// The file with the security officer's PIN, for [`initialize`].
    pub fn so_pin_file(&self) -> PathBuf {
        self.root.join("so-pin")
    }

    /// The variable and value that a process needs in its environment before the library is loaded.
    pub fn environment(&self) -> (&'static str, PathBuf) {
        (VARIABLE, self.configuration())
    }

    /// Whether this process was started with it.
    pub fn is_active(&self) -> bool {
        std::env::var_os(VARIABLE).is_some_and(|value| value == self.configuration())
    }
}

/// Makes the token of the settings' label in a free slot, with the user PIN of the settings' file. A
/// token of that label is not touched ([`TokenProblem::TokenExists`]). Blocks; not for the threads of
/// the asynchronous runtime.
pub fn initialize(settings: &Settings, so_pin_file: &Path) -> Result<(), HsmError> {
    let label = &settings.token;
    let (library, _) = library::load(&settings.module)?;
    let refused = |error: cryptoki::error::Error| HsmError::Refused(error.to_string());
    if library::slot_of(&library, label).map_err(refused)?.is_some() {
        return Err(TokenProblem::TokenExists(label.clone()).into());
    }
    let (so_pin, user_pin) = (read_pin(so_pin_file)?, read_pin(&settings.pin_file)?);
    let mut free = None;
    for slot in library.get_slots_with_token().map_err(refused)? {
        if !library.get_token_info(slot).map_err(refused)?.token_initialized() {
            free = Some(slot);
        }
    }
    let free = free.ok_or_else(|| HsmError::Refused("no slot is free for a new token".to_owned()))?;
    library.init_token(free, &so_pin, label).map_err(refused)?;
    // SoftHSM gives a new token a slot of its own.
    let slot = library::slot_of(&library, label).map_err(refused)?.ok_or_else(|| TokenProblem::NoToken(label.clone()))?;
    let session = library.open_rw_session(slot).map_err(refused)?;
    session.login(UserType::So, Some(&so_pin)).map_err(refused)?;
    session.init_pin(&user_pin).map_err(refused)?;
    session.logout().map_err(refused)?;
    Ok(())
}

/// Reads a PIN: one line, in a file that only its owner may read.
pub(super) fn read_pin(path: &Path) -> Result<AuthPin, TokenProblem> {
    let wrong = |problem| TokenProblem::PinFile { path: path.to_owned(), problem };
    let mut file = fs::File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong("is not there: make it with the PIN in it and mode 600"),
        ErrorKind::PermissionDenied => wrong("may not be read by this user: change its owner"),
        _ => wrong("cannot be opened"),
    })?;
    let mode = file.metadata().map_err(|_| wrong("cannot be examined"))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(wrong("may be read by others: chmod 600 it"));
    }
    let mut text = Zeroizing::new([0u8; 256]);
    let mut len = 0;
    while let Some(room) = text.get_mut(len..).filter(|room| !room.is_empty()) {
        match file.read(room).map_err(|_| wrong("cannot be read"))? {
            0 => break,
            read => len += read,
        }
    }
    let line = text.get(..len).unwrap_or_default();
    let pin = std::str::from_utf8(line).map_err(|_| wrong("is not text"))?.trim_end();
    if !(4..=255).contains(&pin.len()) {
        return Err(wrong("must hold one PIN of 4 to 255 characters"));
    }
    Ok(AuthPin::from(pin))
}

fn write_new_pin(path: &Path) -> Result<(), TokenProblem> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(problem(path, &error)),
    };
    let mut raw = Zeroizing::new([0u8; 16]);
    getrandom::fill(&mut *raw)
        .map_err(|_| TokenProblem::Directory { path: path.to_owned(), problem: "no randomness".to_owned() })?;
    let mut pin = hex::encode(*raw);
    let written = file.write_all(pin.as_bytes()).and_then(|()| file.sync_all());
    pin.zeroize();
    written.map_err(|error| problem(path, &error))
}

fn problem(path: &Path, error: &std::io::Error) -> TokenProblem {
    TokenProblem::Directory { path: path.to_owned(), problem: error.to_string() }
}
