//! What a backend can.

/// An operation of [`crate::Hsm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`crate::Hsm::translate_pin`].
    TranslatePin,
    /// [`crate::Hsm::verify_pin`].
    VerifyPin,
    /// [`crate::Hsm::generate_pvv`] and [`crate::Hsm::generate_offset`].
    GeneratePinReference,
    /// [`crate::Hsm::generate_mac`] and [`crate::Hsm::verify_mac`].
    Mac,
    /// [`crate::Hsm::generate_cvv`] and [`crate::Hsm::verify_cvv`].
    Cvv,
    /// [`crate::Hsm::verify_dcvv`] and [`crate::Hsm::verify_cvc3`].
    DynamicCvv,
    /// [`crate::Hsm::verify_arqc`] and [`crate::Hsm::generate_arpc`].
    Cryptogram,
    /// [`crate::Hsm::generate_script_mac`].
    ScriptMac,
    /// [`crate::Hsm::encrypt_data`] and [`crate::Hsm::decrypt_data`].
    Data,
    /// [`crate::Hsm::generate_data_key`] and [`crate::Hsm::unwrap_data_key`].
    DataKey,
    /// [`crate::Hsm::import_block`] and [`crate::Hsm::export_block`], versions B, D and E.
    KeyBlock,
    /// The same of versions A and C.
    KeyBlockOfVariants,
    /// A change of PIN by script, or any other operation that takes a clear PIN.
    ClearPin,
}

/// What a backend can and cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Name of the backend, for logs and `doctor`.
    pub backend: &'static str,
    /// Whether a clear PIN never leaves the device during a translation. The production profile refuses
    /// a PIN route where this is false.
    pub pin_stays_inside: bool,
    /// Whether keys stay in a device or token.
    pub keys_stay_inside: bool,
}

impl Capabilities {
    /// Why the backend does not have an operation, in a few words; `None` where it does.
    pub fn lacks(&self, operation: Operation) -> Option<&'static str> {
        match operation {
            Operation::KeyBlockOfVariants => Some("versions A and C are made of variants of the protection key"),
            Operation::ClearPin => Some("no operation takes a clear PIN"),
            Operation::TranslatePin
            | Operation::VerifyPin
            | Operation::GeneratePinReference
            | Operation::Mac
            | Operation::Cvv
            | Operation::DynamicCvv
            | Operation::Cryptogram
            | Operation::ScriptMac
            | Operation::Data
            | Operation::DataKey
            | Operation::KeyBlock => None,
        }
    }
}
