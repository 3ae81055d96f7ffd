//! AES DUKPT.

use crypto::dukpt::aes::{self, Algorithm, Ksn, Purpose, WorkingKey};
use crypto::{AesKey, CryptoError, mac};

use super::super::super::case::{Case, Trouble, Values, shown, values};
use super::super::pins::{PinKey, translate_from};

pub(in super::super) fn initial_key(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(aes::initial_key(&case.aes("bdk")?, initial_key_id(case)?)?.reveal()))])
}

fn initial_key_id(case: &Case<'_>) -> Result<[u8; 8], Trouble> {
    Ok(case.bytes("initial_key_id")?.try_into().map_err(|_| CryptoError::KsnLength)?)
}

/// The serial number, the device's initial key, and the transaction's key.
fn derived(case: &Case<'_>) -> Result<(Ksn, AesKey, AesKey), Trouble> {
    let ksn = Ksn::new(&case.bytes("ksn")?)?;
    let initial = aes::initial_key(&case.aes("bdk")?, ksn.initial_key_id())?;
    let transaction = aes::transaction_key(&initial, &ksn)?;
    Ok((ksn, initial, transaction))
}

const PURPOSES: [(&str, Purpose); 8] = [
    ("key_encryption", Purpose::KeyEncryption),
    ("pin_encryption", Purpose::Pin),
    ("mac_generation", Purpose::MacGeneration),
    ("mac_verification", Purpose::MacVerification),
    ("mac_both_ways", Purpose::MacBoth),
    ("data_encryption", Purpose::DataEncryption),
    ("data_decryption", Purpose::DataDecryption),
    ("data_both_ways", Purpose::DataBoth),
];

const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("TDES2", Algorithm::Tdes2),
    ("TDES3", Algorithm::Tdes3),
    ("AES128", Algorithm::Aes128),
    ("AES192", Algorithm::Aes192),
    ("AES256", Algorithm::Aes256),
];

fn named<T: Copy>(table: &[(&str, T)], case: &Case<'_>, name: &str) -> Result<T, Trouble> {
    let wanted = case.text(name)?;
    let found = table.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, value)| *value).ok_or_else(|| Trouble::Unreadable(format!("{name} {wanted} is unknown")))
}

fn working(case: &Case<'_>, purpose: Purpose, algorithm: &str) -> Result<WorkingKey, Trouble> {
    let (ksn, _, transaction) = derived(case)?;
    Ok(aes::working_key(&transaction, &ksn, purpose, named(&ALGORITHMS, case, algorithm)?)?)
}

pub(in super::super) fn transaction_key(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(derived(case)?.2.reveal()))])
}

pub(in super::super) fn working_key(case: &Case<'_>) -> Result<Values, Trouble> {
    let purpose = named(&PURPOSES, case, "usage")?;
    values([("key", shown(working(case, purpose, "algorithm")?.reveal()))])
}

pub(in super::super) fn update_key(case: &Case<'_>) -> Result<Values, Trouble> {
    let algorithm = named(&ALGORITHMS, case, "algorithm")?;
    let key = aes::update_key(&case.aes("initial_key")?, initial_key_id(case)?, algorithm)?;
    values([("key", shown(key.reveal()))])
}

/// Every working key there is, named by use and algorithm.
pub(in super::super) fn keys(case: &Case<'_>) -> Result<Values, Trouble> {
    let (ksn, initial, transaction) = derived(case)?;
    let mut all = values([("initial_key", shown(initial.reveal())), ("transaction_key", shown(transaction.reveal()))])?;
    for (purpose_name, purpose) in PURPOSES {
        for (algorithm_name, algorithm) in ALGORITHMS {
            let key = aes::working_key(&transaction, &ksn, purpose, algorithm)?;
            all.insert(format!("{purpose_name}_{}", algorithm_name.to_lowercase()), shown(key.reveal()));
        }
    }
    Ok(all)
}

pub(in super::super) fn cmac(case: &Case<'_>) -> Result<Values, Trouble> {
    let purpose = named(&PURPOSES, case, "usage")?;
    let made = match working(case, purpose, "working_key_alg")? {
        WorkingKey::Aes(key) => shown(mac::cmac_aes(&key, &case.data()?)),
        WorkingKey::Tdes(key) => shown(mac::cmac_tdes(&key, &case.data()?)),
    };
    values([("mac", made)])
}

pub(in super::super) fn pin_translate(case: &Case<'_>) -> Result<Values, Trouble> {
    let key = match working(case, Purpose::Pin, "working_key_alg")? {
        WorkingKey::Aes(key) => PinKey::Aes(key),
        WorkingKey::Tdes(key) => PinKey::Tdes(key),
    };
    translate_from(case, &key)
}
