//! Visa PIN verification value: four digits that let an issuer check a PIN without keeping it.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::decimal::decimalise;
use crate::pin::rightmost_without_check_digit;
use crate::tdes::Block;
use crate::{CryptoError, Pin, TdesKey};

/// A PVV, four ASCII digits. Secret beside its PAN: with the key it shortens the search for a PIN.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Pvv([u8; 4]);

impl Pvv {
    /// From four ASCII digits, as an issuer keeps it.
    pub fn new(digits: [u8; 4]) -> Result<Self, CryptoError> {
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(CryptoError::PinLengthOrDigits) }
    }

    /// The four ASCII digits.
    pub fn reveal(&self) -> &[u8; 4] {
        &self.0
    }
}

impl PartialEq for Pvv {
    fn eq(&self, other: &Self) -> bool {
        crate::same(&self.0, &other.0)
    }
}

impl Eq for Pvv {}

impl fmt::Debug for Pvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pvv([redacted])")
    }
}

/// The PVV of a PIN: the 11 rightmost digits of the PAN without its check digit, the key index and
/// the first four digits of the PIN, encrypted under the PIN verification key; of the result's
/// hexadecimal digits the decimal ones first, then the letters less ten, four in all.
///
/// `pvki` is an ASCII digit. PINs longer than four digits are verified by their first four: that is
/// the method, not a choice.
pub fn pvv(key: &TdesKey, pvki: u8, pin: &Pin, pan: &[u8]) -> Result<Pvv, CryptoError> {
    Ok(of_sealed(&Zeroizing::new(key.encrypt_block(*field(pvki, pin, pan)?))))
}

/// The clear half of [`pvv`]: the block that is encrypted under the PIN verification key. As secret as the
/// PIN in it.
pub fn field(pvki: u8, pin: &Pin, pan: &[u8]) -> Result<Zeroizing<Block>, CryptoError> {
    if !pvki.is_ascii_digit() {
        return Err(CryptoError::Pvki);
    }
    let account = rightmost_without_check_digit(pan, 11)?;
    let digits = account.iter().chain([&pvki]).chain(pin.reveal().iter().take(4));
    let field = Zeroizing::new(digits.fold(0u64, |field, digit| field << 4 | u64::from(digit & 0x0F)));
    Ok(Zeroizing::new(field.to_be_bytes()))
}

/// The rest of [`pvv`], where a token encrypted the [`field`].
pub fn of_sealed(sealed: &Block) -> Pvv {
    let mut value = Pvv([b'0'; 4]);
    value.0.iter_mut().zip(decimalise(sealed)).for_each(|(room, digit)| *room = digit);
    value
}

/// Whether a PIN has this PVV.
pub fn verify(key: &TdesKey, pvki: u8, pin: &Pin, pan: &[u8], expected: &Pvv) -> Result<bool, CryptoError> {
    Ok(pvv(key, pvki, pin, pan)? == *expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &str, pvki: u8, pin: &str, pan: &str) -> Result<String, CryptoError> {
        let key = TdesKey::unchecked(&hex::decode(key).unwrap()).unwrap();
        let pvv = pvv(&key, pvki, &Pin::new(pin.as_bytes()).unwrap(), pan.as_bytes())?;
        Ok(String::from_utf8(pvv.reveal().to_vec()).unwrap())
    }

    #[test]
    fn pvv_agrees_with_published_values() {
        // psec's documentation; jPOS; the last, computed with psec 1.3.0, begins with a zero.
        assert_eq!(value("0123456789ABCDEFFEDCBA9876543210", b'1', "1234", "4321000000001234").unwrap(), "6629");
        assert_eq!(value("12345678123456781234567812345678", b'0', "1234", "1234567890123").unwrap(), "1226");
        assert_eq!(value("13FE46C22680521F086EC2EF8C6BB607", b'5', "8958", "6011433799123747").unwrap(), "0738");
    }

    #[test]
    fn a_wrong_pin_has_another_pvv() {
        let key = TdesKey::unchecked(&hex::decode("5D209843B60234F238852FDC80834A1A").unwrap()).unwrap();
        let expected = Pvv::new(*b"4057").unwrap();
        let verified = |digits: &[u8]| verify(&key, b'2', &Pin::new(digits).unwrap(), b"4030565918797976", &expected);
        assert_eq!(verified(b"7379"), Ok(true));
        assert_eq!(verified(b"7370"), Ok(false));
    }

    #[test]
    fn a_wrong_index_or_pan_is_refused() {
        let key = "049BA4023E07161FB968A1152C38B0EA";
        assert_eq!(value(key, b'A', "1234", "4000001234567899"), Err(CryptoError::Pvki));
        assert_eq!(value(key, b'1', "1234", "40000012345"), Err(CryptoError::Pan));
        assert_eq!(format!("{:?}", Pvv::new(*b"4057").unwrap()), "Pvv([redacted])");
    }
}
