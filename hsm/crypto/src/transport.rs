//! Keys under other keys without a key block: ECB under a zone master key, variants, and what an older
//! host security module keeps under its local master keys. None says what a key is for, and parts can be
//! moved about: for links that know nothing newer. X9.143 key blocks are in [`crate::keyblock`].

use zeroize::Zeroizing;

use crate::modes::{ecb_decrypt, ecb_encrypt};
use crate::{AesKey, CryptoError, TdesKey, kcv};

/// A key under a zone master key, each part alone (ANSI X9.17): 16 or 24 bytes.
pub fn export(zmk: &TdesKey, key: &TdesKey) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut sealed = Zeroizing::new(key.reveal().to_vec());
    ecb_encrypt(zmk, &mut sealed)?;
    Ok(sealed)
}

/// A key that came under a zone master key with its check value: of odd parity, without weak or equal
/// parts, and the one that the sender meant.
pub fn import(zmk: &TdesKey, sealed: &[u8], check_value: &[u8]) -> Result<TdesKey, CryptoError> {
    let mut clear = Zeroizing::new(sealed.to_vec());
    ecb_decrypt(zmk, &mut clear).map_err(|_| CryptoError::KeyLength)?;
    let key = TdesKey::from_bytes(&clear)?;
    if check_value.len() == 3 && crate::same(&kcv::tdes(&key), check_value) { Ok(key) } else { Err(CryptoError::CheckValue) }
}

/// A key of the exclusive or of its components, with odd parity in the end: components have any parity.
/// At least two, of one length; the key is checked as any that is taken in.
pub fn tdes_of_components(components: &[TdesKey]) -> Result<TdesKey, CryptoError> {
    let raw = combined(components.iter().map(TdesKey::reveal))?;
    let key = TdesKey::unchecked(&raw)?.with_odd_parity();
    key.check()?;
    Ok(key)
}

/// An AES key of the exclusive or of its components.
pub fn aes_of_components(components: &[AesKey]) -> Result<AesKey, CryptoError> {
    AesKey::from_bytes(&combined(components.iter().map(AesKey::reveal))?)
}

fn combined<'a>(mut components: impl Iterator<Item = &'a [u8]>) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut whole = Zeroizing::new(components.next().ok_or(CryptoError::Components)?.to_vec());
    let mut count = 1;
    for component in components {
        if component.len() != whole.len() {
            return Err(CryptoError::Components);
        }
        whole.iter_mut().zip(component).for_each(|(whole, part)| *whole ^= part);
        count += 1;
    }
    if count < 2 { Err(CryptoError::Components) } else { Ok(whole) }
}

/// The variant of a key for one use, as Atalla has them: the first byte of each part exclusive-or eight
/// times the variant's number, 1 to 31.
pub fn atalla_variant(key: &TdesKey, variant: u8) -> Result<TdesKey, CryptoError> {
    if !(1..=31).contains(&variant) {
        return Err(CryptoError::Variant);
    }
    let mut raw = Zeroizing::new(key.reveal().to_vec());
    raw.chunks_mut(8).filter_map(|part| part.first_mut()).for_each(|byte| *byte ^= variant << 3);
    TdesKey::unchecked(&raw)
}

/// What the left half of a local master key pair is changed with for the variants 1 to 9 of key types.
const TYPE_VARIANTS: [u8; 9] = [0xA6, 0x5A, 0x6A, 0xDE, 0x2B, 0x50, 0x74, 0x9C, 0xFA];
/// What its right half is changed with for the parts of a double- and of a triple-length key.
const DOUBLE_PARTS: [u8; 2] = [0xA6, 0x5A];
const TRIPLE_PARTS: [u8; 3] = [0x6A, 0xDE, 0x2B];

/// A key under a pair of local master keys with variants (schemes U and T; a single part is scheme Z): the
/// key type's variant, 0 for none, changes the pair's first byte, and each part's its ninth. `clear` is 8,
/// 16 or 24 bytes. The scheme as in the published test vectors of that family of modules; the test master
/// keys are public.
pub fn under_variant_lmk(lmk: &TdesKey, variant: u8, clear: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let type_mask = match variant.checked_sub(1) {
        None => 0,
        Some(at) => *TYPE_VARIANTS.get(usize::from(at)).ok_or(CryptoError::Variant)?,
    };
    let part_masks: &[u8] = match clear.len() {
        8 => &[0],
        16 => &DOUBLE_PARTS,
        24 => &TRIPLE_PARTS,
        _ => return Err(CryptoError::KeyLength),
    };
    if lmk.len() != 16 {
        return Err(CryptoError::KeyLength);
    }
    let mut sealed = Zeroizing::new(clear.to_vec());
    for (part, part_mask) in sealed.chunks_mut(8).zip(part_masks) {
        let [mut left, mut right, _] = *lmk.parts();
        left[0] ^= type_mask;
        right[0] ^= part_mask;
        ecb_encrypt(&TdesKey::of_halves(&left, &right), part)?;
    }
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> TdesKey {
        TdesKey::unchecked(&hex::decode(text).unwrap()).unwrap()
    }

    #[test]
    fn import_undoes_export_and_refuses_what_is_not_the_senders_key() {
        // Computed with psec 1.3.0.
        let zmk = key("2FF24FEC31430192645E7ACEBA4F5107");
        let sealed = export(&zmk, &key("79EFADE68A2368C29E92B58F2085C7AE")).unwrap();
        assert_eq!(hex::encode_upper(&*sealed), "269D8B56EA502D9607B59FC9A7A96A9F");
        assert_eq!(import(&zmk, &sealed, &[0x2C, 0x6D, 0x0F]).unwrap(), key("79EFADE68A2368C29E92B58F2085C7AE"));
        assert_eq!(import(&zmk, &sealed, &[0x2C, 0x6D, 0x0E]), Err(CryptoError::CheckValue));
        assert_eq!(import(&zmk, &sealed, &[]), Err(CryptoError::CheckValue));
        assert_eq!(import(&zmk, &sealed[..15], &[0x2C, 0x6D, 0x0F]), Err(CryptoError::KeyLength));
        let even = hex::decode("269D8B56EA502D96567420D9CDC0486D").unwrap();
        assert_eq!(import(&zmk, &even, &[0x2C, 0x6D, 0x0F]), Err(CryptoError::Parity));
    }

    #[test]
    fn components_that_do_not_fit_are_refused() {
        let (double, triple) = (key("9E5EE35E626EEF94A8E3756E43850438"), key("2C4658CB9B15571301F42F295D582A2A985D6458589BE61C"));
        assert_eq!(tdes_of_components(std::slice::from_ref(&double)), Err(CryptoError::Components));
        assert_eq!(tdes_of_components(&[]), Err(CryptoError::Components));
        assert_eq!(tdes_of_components(&[double.clone(), triple]), Err(CryptoError::Components));
        // The same component twice makes a key of zeros, which parity turns into a weak one.
        assert_eq!(tdes_of_components(&[double.clone(), double]), Err(CryptoError::WeakKey));
        let aes = AesKey::from_bytes(&[5; 16]).unwrap();
        let zeros = AesKey::from_bytes(&[0; 16]).unwrap();
        assert_eq!(aes_of_components(&[aes.clone(), zeros]).unwrap(), aes);
    }

    #[test]
    fn variants_that_do_not_exist_are_refused() {
        let base = key("79EFADE68A2368C29E92B58F2085C7AE");
        assert_eq!(atalla_variant(&base, 22).unwrap(), key("C9EFADE68A2368C22E92B58F2085C7AE"));
        assert_eq!(atalla_variant(&base, 0), Err(CryptoError::Variant));
        assert_eq!(atalla_variant(&base, 32), Err(CryptoError::Variant));
        assert_eq!(under_variant_lmk(&base, 10, &[0; 16]), Err(CryptoError::Variant));
        assert_eq!(under_variant_lmk(&base, 1, &[0; 12]), Err(CryptoError::KeyLength));
    }

    proptest! {
        #[test]
        fn components_in_any_order_make_the_same_key(parts: [[u8; 16]; 3]) {
            let [a, b, c] = parts.map(|part| AesKey::from_bytes(&part).unwrap());
            let one = aes_of_components(&[a.clone(), b.clone(), c.clone()]).unwrap();
            prop_assert_eq!(one, aes_of_components(&[c, a, b]).unwrap());
        }
    }
}
