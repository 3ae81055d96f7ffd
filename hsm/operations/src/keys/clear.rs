//! Clear key material on its way into the HSM.

use std::fmt;

use crypto::{AesKey, CryptoError, TdesKey, dukpt, kcv};
use zeroize::Zeroizing;

use super::{Algorithm, Exportability, Kcv, KeyInfo, KeyName, KeyRole, ModeOfUse};
use crate::HsmError;

/// Clear key material on its way into the HSM: from a laboratory's configuration, a ceremony or a key block.
/// Wiped on drop. It may not be exported and may do all that its role does, unless it is told otherwise.
#[derive(Clone, PartialEq, Eq)]
pub struct ClearKey {
    role: KeyRole,
    algorithm: Algorithm,
    mode: ModeOfUse,
    exportability: Exportability,
    material: Material,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Tdes(TdesKey),
    Aes(AesKey),
}

impl Material {
    /// Of a role's algorithm and length; of TDES any parity.
    fn new(role: KeyRole, algorithm: Algorithm, raw: &[u8]) -> Result<Self, HsmError> {
        if raw.len() != algorithm.key_bytes() || !role.admits(algorithm) {
            return Err(HsmError::WrongAlgorithm(role));
        }
        Ok(if algorithm.is_tdes() { Self::Tdes(TdesKey::unchecked(raw)?) } else { Self::Aes(AesKey::from_bytes(raw)?) })
    }
}

impl ClearKey {
    /// From the bytes of a whole key of the role's own algorithm; parity, weak keys and repeated halves are
    /// checked.
    pub fn new(role: KeyRole, raw: &[u8]) -> Result<Self, HsmError> {
        Self::of(role, role.algorithm(), raw)
    }

    /// As [`ClearKey::new`], of an algorithm that the role admits.
    pub fn of(role: KeyRole, algorithm: Algorithm, raw: &[u8]) -> Result<Self, HsmError> {
        Self::checked(role, algorithm, Material::new(role, algorithm, raw)?)
    }

    /// As [`ClearKey::new`], from hexadecimal characters.
    pub fn from_hex(role: KeyRole, text: &str) -> Result<Self, HsmError> {
        let raw = Zeroizing::new(hex::decode(text).map_err(|_| HsmError::KeyRefused(CryptoError::KeyHex))?);
        Self::new(role, &raw)
    }

    /// From two or more components, which are exclusive-ored; TDES keys then get odd parity.
    pub fn from_components(role: KeyRole, components: &[&[u8]]) -> Result<Self, HsmError> {
        Self::of_components(role, role.algorithm(), components)
    }

    /// As [`ClearKey::from_components`], of an algorithm that the role admits.
    pub fn of_components(role: KeyRole, algorithm: Algorithm, components: &[&[u8]]) -> Result<Self, HsmError> {
        let bytes = algorithm.key_bytes();
        if components.len() < 2 || components.iter().any(|component| component.len() != bytes) {
            return Err(HsmError::WrongAlgorithm(role));
        }
        let mut raw = Zeroizing::new(vec![0; bytes]);
        for component in components {
            raw.iter_mut().zip(*component).for_each(|(room, byte)| *room ^= byte);
        }
        Self::odd(role, algorithm, &raw)
    }

    /// As [`ClearKey::new`], with odd parity set first: the key of a peer that does not keep to it, and new keys
    /// out of random bytes (the caller draws again when they are weak). Parity does not enter the cipher, so
    /// the key and its check value stay what they are.
    pub fn with_odd_parity(role: KeyRole, raw: &[u8]) -> Result<Self, HsmError> {
        Self::odd(role, role.algorithm(), raw)
    }

    /// As [`ClearKey::with_odd_parity`], of an algorithm that the role admits.
    pub fn odd(role: KeyRole, algorithm: Algorithm, raw: &[u8]) -> Result<Self, HsmError> {
        let material = match Material::new(role, algorithm, raw)? {
            Material::Tdes(key) => Material::Tdes(key.with_odd_parity()),
            aes => aes,
        };
        Self::checked(role, algorithm, material)
    }

    fn checked(role: KeyRole, algorithm: Algorithm, material: Material) -> Result<Self, HsmError> {
        match &material {
            Material::Tdes(key) => key.check()?,
            // One of the keys that a mistake makes: all zeros, all ones.
            Material::Aes(key) if key.reveal().iter().all(|byte| *byte == 0) => {
                return Err(HsmError::KeyRefused(CryptoError::WeakKey));
            }
            Material::Aes(_) => {}
        }
        let (mode, exportability) = (ModeOfUse::Unrestricted, Exportability::NonExportable);
        Ok(Self { role, algorithm, mode, exportability, material })
    }

    /// The same key, restricted to a mode of use that its role has.
    pub fn with_mode(self, mode: ModeOfUse) -> Result<Self, HsmError> {
        if self.role.admits_mode(mode) { Ok(Self { mode, ..self }) } else { Err(HsmError::WrongMode(self.role)) }
    }

    /// The same key, which may or may not leave the HSM in a key block.
    pub fn with_exportability(self, exportability: Exportability) -> Self {
        Self { exportability, ..self }
    }

    /// What it will be for.
    pub fn role(&self) -> KeyRole {
        self.role
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What it may do.
    pub fn mode(&self) -> ModeOfUse {
        self.mode
    }

    /// Whether it may leave again.
    pub fn exportability(&self) -> Exportability {
        self.exportability
    }

    /// Its check value.
    pub fn kcv(&self) -> Kcv {
        match &self.material {
            Material::Tdes(key) => Kcv(kcv::tdes(key)),
            Material::Aes(key) => Kcv(kcv::aes_zeros(key)),
        }
    }

    /// Its check value by the newer rule for AES, the CMAC of zeros; `None` for TDES.
    pub fn cmac_kcv(&self) -> Option<[u8; 5]> {
        match &self.material {
            Material::Tdes(_) => None,
            Material::Aes(key) => Some(kcv::aes_cmac(key)),
        }
    }

    /// What is known of it under a name.
    pub(crate) fn info(&self, name: KeyName) -> KeyInfo {
        let (role, algorithm, mode, exportability) = (self.role, self.algorithm, self.mode, self.exportability);
        KeyInfo { name, role, algorithm, mode, exportability, kcv: self.kcv() }
    }

    /// The clear bytes, for the backend that takes the key in.
    pub(crate) fn reveal(&self) -> &[u8] {
        match &self.material {
            Material::Tdes(key) => key.reveal(),
            Material::Aes(key) => key.reveal(),
        }
    }

    /// The second key that some roles need in a token, which cannot make it from the first: the left half
    /// twice for MAC algorithm 3 and card verification values, the masked base key for TDES DUKPT.
    pub(crate) fn companion(&self) -> Result<Option<TdesKey>, HsmError> {
        match (&self.material, self.role) {
            (Material::Tdes(key), KeyRole::Tak | KeyRole::Zak | KeyRole::Cvk) => Ok(Some(left_twice(key)?)),
            (Material::Tdes(key), KeyRole::Bdk) => Ok(Some(dukpt::masked(key)?)),
            _ => Ok(None),
        }
    }
}

/// Single DES of a key's left half.
pub(crate) fn left_twice(key: &TdesKey) -> Result<TdesKey, CryptoError> {
    TdesKey::single(key.reveal().get(..8).unwrap_or_default())
}

impl fmt::Debug for ClearKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClearKey({}, [redacted])", self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_make_the_key_and_its_check_value() {
        // Computed independently (shared vectors gen-0004): three components, parity set at the end.
        let components =
            ["9E5EE35E626EEF94A8E3756E43850438", "98B0FD3EE076B58679647A761CDAA87F", "97BC5DCEC4B013641F7657FD4FFDD919"]
                .map(|text| hex::decode(text).unwrap());
        let parts: Vec<&[u8]> = components.iter().map(Vec::as_slice).collect();
        let key = ClearKey::from_components(KeyRole::Zpk, &parts).unwrap();
        assert_eq!(hex::encode_upper(key.reveal()), "915243AE46A84976CEF158E510A2755E");
        assert_eq!(key.kcv().to_string(), "855616");
        assert_eq!(ClearKey::from_components(KeyRole::Zpk, &parts[..1]), Err(HsmError::WrongAlgorithm(KeyRole::Zpk)));
        assert_eq!(ClearKey::from_components(KeyRole::Kek, &parts), Err(HsmError::WrongAlgorithm(KeyRole::Kek)));
    }

    #[test]
    fn material_that_no_import_accepts_is_refused_by_reason() {
        let refused = |text| ClearKey::from_hex(KeyRole::Tpk, text).unwrap_err();
        assert_eq!(refused("0023456789ABCDEFFEDCBA9876543210"), HsmError::KeyRefused(CryptoError::Parity));
        assert_eq!(refused("E0E0E0E0F1F1F1F162D989D33EA43D26"), HsmError::KeyRefused(CryptoError::WeakKey));
        assert_eq!(refused("0BF7268AE5EA3E380BF7268AE5EA3E38"), HsmError::KeyRefused(CryptoError::RepeatedParts));
        assert_eq!(refused("0123456789ABCDEF"), HsmError::WrongAlgorithm(KeyRole::Tpk));
        let key = ClearKey::from_hex(KeyRole::Tpk, "0123456789ABCDEFFEDCBA9876543210").unwrap();
        assert_eq!(format!("{key:?}"), "ClearKey(tpk, [redacted])");
    }
    #[test]
    fn algorithms_modes_and_lengths_that_a_role_does_not_have_are_refused() {
        let of = |role, algorithm, bytes: &[u8]| ClearKey::of(role, algorithm, bytes).map(|key| key.algorithm());
        assert_eq!(of(KeyRole::Zpk, Algorithm::Aes128, &[7; 16]), Ok(Algorithm::Aes128));
        assert_eq!(of(KeyRole::Zak, Algorithm::Aes128, &[7; 16]), Err(HsmError::WrongAlgorithm(KeyRole::Zak)));
        assert_eq!(of(KeyRole::Zpk, Algorithm::Aes192, &[7; 16]), Err(HsmError::WrongAlgorithm(KeyRole::Zpk)));
        assert_eq!(of(KeyRole::Dek, Algorithm::Aes256, &[0; 32]), Err(HsmError::KeyRefused(CryptoError::WeakKey)));
        let key = ClearKey::of(KeyRole::Zpk, Algorithm::Aes128, &[7; 16]).unwrap();
        assert_eq!(key.clone().with_mode(ModeOfUse::Generate), Err(HsmError::WrongMode(KeyRole::Zpk)));
        assert_eq!(key.with_mode(ModeOfUse::Decrypt).unwrap().mode(), ModeOfUse::Decrypt);
    }
}
