//! The calls that `cryptoki` lacks, over `cryptoki-sys`: ciphers into the caller's own buffer, which is wiped
//! (`cryptoki` gives out buffers that are not, and asks for their size first), CMAC over TDES, and keys derived
//! by encrypting data. The one module of this package with unsafe code.
#![allow(unsafe_code)]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::path::Path;

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_BBOOL, CK_BYTE, CK_FALSE, CK_FUNCTION_LIST, CK_KEY_DERIVATION_STRING_DATA, CK_KEY_TYPE,
    CK_MECHANISM, CK_MECHANISM_TYPE, CK_OBJECT_CLASS, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE, CK_TRUE, CK_ULONG, CKA_CLASS,
    CKA_DECRYPT, CKA_DERIVE, CKA_ENCRYPT, CKA_EXTRACTABLE, CKA_KEY_TYPE, CKA_PRIVATE, CKA_SENSITIVE, CKA_SIGN, CKA_TOKEN,
    CKA_VALUE_LEN, CKK_AES, CKK_DES2, CKK_DES3, CKM_AES_CBC, CKM_AES_CMAC, CKM_AES_ECB, CKM_AES_ECB_ENCRYPT_DATA, CKM_DES3_CBC,
    CKM_DES3_CMAC, CKM_DES3_ECB, CKM_DES3_ECB_ENCRYPT_DATA, CKO_SECRET_KEY, CKR_OK,
};

use crate::Algorithm;
use crate::token::Way;

type Init = unsafe extern "C" fn(CK_SESSION_HANDLE, *mut CK_MECHANISM, CK_OBJECT_HANDLE) -> CK_RV;
type Work = unsafe extern "C" fn(CK_SESSION_HANDLE, *mut CK_BYTE, CK_ULONG, *mut CK_BYTE, *mut CK_ULONG) -> CK_RV;
type Derive = unsafe extern "C" fn(
    CK_SESSION_HANDLE,
    *mut CK_MECHANISM,
    CK_OBJECT_HANDLE,
    *mut CK_ATTRIBUTE,
    CK_ULONG,
    *mut CK_OBJECT_HANDLE,
) -> CK_RV;

/// The functions of a library that is loaded and initialised; it stays loaded for as long as this lives.
pub(super) struct Raw {
    encrypt: (Init, Work),
    decrypt: (Init, Work),
    sign: (Init, Work),
    derive: Derive,
    _library: cryptoki_sys::Pkcs11,
}

/// The longest CMAC.
const MOST_MAC: usize = 16;

impl Raw {
    /// Of the module that `cryptoki` loaded and initialised before: the same library once more, not another.
    pub(super) fn load(module: &Path) -> Option<Self> {
        // SAFETY: loading runs the initialisers of a library that this process has loaded already, so none.
        let library = unsafe { cryptoki_sys::Pkcs11::new(module) }.ok()?;
        let mut list: *mut CK_FUNCTION_LIST = std::ptr::null_mut();
        // SAFETY: the function is the library's own, and fills in the one pointer that it is given.
        if unsafe { library.C_GetFunctionList(&mut list) } != CKR_OK {
            return None;
        }
        // SAFETY: on success the pointer is that of a table which the library keeps for as long as it is loaded; a
        // null pointer, which no library may give, is refused.
        let list = unsafe { list.as_ref() }?;
        Some(Self {
            encrypt: (list.C_EncryptInit?, list.C_Encrypt?),
            decrypt: (list.C_DecryptInit?, list.C_Decrypt?),
            sign: (list.C_SignInit?, list.C_Sign?),
            derive: list.C_DeriveKey?,
            _library: library,
        })
    }

    /// ECB (an empty `start`) or CBC over whole blocks in place.
    pub(super) fn cipher(
        &self,
        session: &Session,
        key: ObjectHandle,
        algorithm: Algorithm,
        way: Way,
        start: &[u8],
        data: &mut [u8],
    ) -> Result<(), Error> {
        let kind = match (algorithm.is_tdes(), start.is_empty()) {
            (true, true) => CKM_DES3_ECB,
            (true, false) => CKM_DES3_CBC,
            (false, true) => CKM_AES_ECB,
            (false, false) => CKM_AES_CBC,
        };
        let (functions, initialised, done) = match way {
            Way::Encrypt => (self.encrypt, Function::EncryptInit, Function::Encrypt),
            Way::Decrypt => (self.decrypt, Function::DecryptInit, Function::Decrypt),
        };
        initialise(functions.0, session, kind, start, key).into_result(initialised)?;
        let mut written = length(data.len())?;
        let room = data.as_mut_ptr();
        // SAFETY: `room` is `written` bytes that nobody else uses during the call; the standard lets input and
        // output be the same place (PKCS#11 v2.40 section 5.2), and the library writes no more than it is told.
        let said = unsafe { (functions.1)(session.handle(), room, written, room, &mut written) };
        Rv::from(said).into_result(done)?;
        if written == length(data.len())? { Ok(()) } else { Err(Error::InvalidValue) }
    }

    /// The whole CMAC, into `room`; how many bytes it has.
    pub(super) fn cmac(
        &self,
        session: &Session,
        key: ObjectHandle,
        algorithm: Algorithm,
        data: &[u8],
        room: &mut [u8; MOST_MAC],
    ) -> Result<usize, Error> {
        let kind = if algorithm.is_tdes() { CKM_DES3_CMAC } else { CKM_AES_CMAC };
        initialise(self.sign.0, session, kind, &[], key).into_result(Function::SignInit)?;
        let mut written = length(room.len())?;
        // SAFETY: the library reads `data` and does not write it, although its prototype says mutable; it writes at
        // most `written` bytes, which is the length of `room`.
        let said = unsafe {
            (self.sign.1)(session.handle(), data.as_ptr().cast_mut(), length(data.len())?, room.as_mut_ptr(), &mut written)
        };
        Rv::from(said).into_result(Function::Sign)?;
        usize::try_from(written).map_err(|_| Error::InvalidValue)
    }

    /// A session key of `data` encrypted block by block under `key`: sensitive, never extractable, for the
    /// ciphers and for deriving on.
    pub(super) fn derive(
        &self,
        session: &Session,
        (key, algorithm): (ObjectHandle, Algorithm),
        data: &[u8],
        made: Algorithm,
    ) -> Result<ObjectHandle, Error> {
        let mut text = CK_KEY_DERIVATION_STRING_DATA { pData: data.as_ptr().cast_mut(), ulLen: length(data.len())? };
        let mut mechanism = CK_MECHANISM {
            mechanism: if algorithm.is_tdes() { CKM_DES3_ECB_ENCRYPT_DATA } else { CKM_AES_ECB_ENCRYPT_DATA },
            pParameter: (&raw mut text).cast(),
            ulParameterLen: length(size_of::<CK_KEY_DERIVATION_STRING_DATA>())?,
        };
        let (yes, no): (CK_BBOOL, CK_BBOOL) = (CK_TRUE, CK_FALSE);
        let class: CK_OBJECT_CLASS = CKO_SECRET_KEY;
        let kind: CK_KEY_TYPE = match made {
            Algorithm::TdesDouble => CKK_DES2,
            Algorithm::TdesTriple => CKK_DES3,
            Algorithm::Aes128 | Algorithm::Aes192 | Algorithm::Aes256 => CKK_AES,
        };
        let bytes: CK_ULONG = length(made.key_bytes())?;
        let mut template = vec![
            attribute(CKA_CLASS, &class)?,
            attribute(CKA_KEY_TYPE, &kind)?,
            attribute(CKA_TOKEN, &no)?,
            attribute(CKA_PRIVATE, &yes)?,
            attribute(CKA_SENSITIVE, &yes)?,
            attribute(CKA_EXTRACTABLE, &no)?,
            attribute(CKA_ENCRYPT, &yes)?,
            attribute(CKA_DECRYPT, &yes)?,
            attribute(CKA_SIGN, &yes)?,
            attribute(CKA_DERIVE, &yes)?,
        ];
        if !made.is_tdes() {
            template.push(attribute(CKA_VALUE_LEN, &bytes)?);
        }
        let mut handle: CK_OBJECT_HANDLE = 0;
        // SAFETY: mechanism, parameter and template point at values of the types that the standard has for them,
        // which live until after the call and are not written; the library fills in the handle.
        let said = unsafe {
            (self.derive)(
                session.handle(),
                &mut mechanism,
                key.handle(),
                template.as_mut_ptr(),
                length(template.len())?,
                &mut handle,
            )
        };
        Rv::from(said).into_result(Function::DeriveKey)?;
        // SAFETY: the library made this handle a moment ago, in this session.
        Ok(unsafe { ObjectHandle::new_from_raw(handle) })
    }
}

fn initialise(function: Init, session: &Session, kind: CK_MECHANISM_TYPE, parameter: &[u8], key: ObjectHandle) -> Rv {
    let Ok(len) = length(parameter.len()) else { return Rv::from(cryptoki_sys::CKR_MECHANISM_PARAM_INVALID) };
    let pointer = if parameter.is_empty() { std::ptr::null_mut() } else { parameter.as_ptr().cast_mut().cast() };
    let mut mechanism = CK_MECHANISM { mechanism: kind, pParameter: pointer, ulParameterLen: len };
    // SAFETY: the mechanism and its parameter live until after the call, which copies what it keeps of them.
    Rv::from(unsafe { function(session.handle(), &mut mechanism, key.handle()) })
}

/// An attribute that points at its value.
fn attribute<T>(kind: CK_ATTRIBUTE_TYPE, value: &T) -> Result<CK_ATTRIBUTE, Error> {
    let value_len = length(size_of::<T>())?;
    Ok(CK_ATTRIBUTE { type_: kind, pValue: std::ptr::from_ref(value).cast_mut().cast(), ulValueLen: value_len })
}

fn length(len: usize) -> Result<CK_ULONG, Error> {
    CK_ULONG::try_from(len).map_err(|_| Error::InvalidValue)
}
