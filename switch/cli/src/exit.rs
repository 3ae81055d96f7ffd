//! How a verb ends: exit codes are a promise to scripts.

/// A verb that did not end well.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: u8,
    pub(crate) what: String,
}

/// A check failed.
pub(crate) const CHECK: u8 = 1;
/// Wrong words on the command line.
pub(crate) const USAGE: u8 = 2;
/// Bad input data.
pub(crate) const DATA: u8 = 65;
/// A peer is unavailable.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Input or output failed.
pub(crate) const IO: u8 = 74;
/// Bad configuration.
pub(crate) const CONFIG: u8 = 78;

impl Exit {
    pub(crate) fn new(code: u8, what: impl ToString) -> Self {
        Self { code, what: what.to_string() }
    }
}

/// Gives an error its exit code.
pub(crate) trait OrExit<T> {
    /// The value, or an end with this code.
    fn or_exit(self, code: u8) -> Result<T, Exit>;
}

impl<T, E: ToString> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: u8) -> Result<T, Exit> {
        self.map_err(|error| Exit::new(code, error.to_string()))
    }
}
