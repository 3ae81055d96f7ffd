//! Return values of the library, told apart by what can be done about them.

use cryptoki::error::{Error, RvError};

use crate::HsmError;
use crate::token::Fault;

/// An error outside of an operation that may be tried again.
pub(super) fn refused(error: Error) -> HsmError {
    match fault(error) {
        Fault::Error(error) => error,
        Fault::Lost(what) => HsmError::Unavailable(what),
    }
}

/// Tells what a new session may mend from what it may not. Texts are the standard's names.
pub(super) fn fault(error: Error) -> Fault {
    let Error::Pkcs11(value, function) = error else { return HsmError::Refused(error.to_string()).into() };
    match value {
        RvError::SessionHandleInvalid | RvError::SessionClosed => Fault::Lost("session closed"),
        RvError::UserNotLoggedIn => Fault::Lost("not logged in"),
        RvError::ObjectHandleInvalid | RvError::KeyHandleInvalid => Fault::Lost("object handle invalid"),
        RvError::DeviceRemoved | RvError::TokenNotPresent | RvError::SlotIdInvalid => Fault::Lost("token removed"),
        RvError::DeviceError | RvError::GeneralError | RvError::FunctionFailed => Fault::Lost("device error"),
        RvError::OperationActive | RvError::OperationNotInitialized => Fault::Lost("session out of step"),
        RvError::CryptokiNotInitialized => Fault::Lost("library not initialised"),
        other => HsmError::Refused(format!("{function} {other:?}")).into(),
    }
}
