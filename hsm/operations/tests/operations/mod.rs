//! What the operations refuse, each with its own error, and that nothing secret shows. That they compute what
//! they must, the conformance suite says.

use crypto::pin::{ClearPinBlock, Fill, Pin, encode, format4};
use crypto::{AesKey, CryptoError};
use hsm::{
    AesKsn, Algorithm, ArpcAnswer, BlockVersion, ChipCard, ChipTransaction, ClearKey, Contactless, Cvv, DataSource,
    DecimalizationTable, Derivation, Exportability, Format, Hsm, HsmError, Kcv, KeyRole, MacMethod, MacSource, ModeOfUse, Offset,
    PinReference, PinSource, PinTarget, Pvv, Scheme, Track, ValidationData, Verified,
};
use payments::PinBlock;

use super::{PAN, TPK, ZPK, block, clear, name, pan, tdes};

const PVK: &str = "5D209843B60234F238852FDC80834A1A";
const AES: [u8; 16] = [0x5A; 16];

fn sealed(pin: &[u8]) -> PinBlock {
    let inside = encode(crypto::pin::Format::Iso0, &Pin::new(pin).unwrap(), PAN, &Fill::default()).unwrap();
    block(&inside.encrypt(&tdes(TPK)))
}

/// Everything that is refused. Leaves no key behind.
pub(super) async fn suite(hsm: &Hsm) {
    let before = hsm.list_keys().await.unwrap();
    pins(hsm).await;
    uses(hsm).await;
    cards(hsm).await;
    blocks(hsm).await;
    assert_eq!(hsm.list_keys().await.unwrap(), before);
}

/// A garbled block, another key's and a wrong PIN are one answer; tables are those that the operator allows.
async fn pins(hsm: &Hsm) {
    let (visa, ibm, source) = (name("pvk-visa"), name("pvk-ibm"), PinSource::format0(name("tpk-1")));
    hsm.import_key(&visa, &clear(KeyRole::PvkVisa, PVK)).await.unwrap();
    hsm.import_key(&ibm, &clear(KeyRole::PvkIbm, PVK)).await.unwrap();
    let pvv = hsm.generate_pvv(&source, &visa, b'2', &pan(), &sealed(b"7379")).await.unwrap();
    let reference = PinReference::Visa { pvk: visa, index: b'2', pvv };
    for (block, right) in [(sealed(b"7379"), true), (sealed(b"7378"), false), (block(&[9; 8]), false), (block(&[9; 16]), false)] {
        assert_eq!(hsm.verify_pin(&source, &reference, &pan(), &block).await, Ok(Verified(right)));
    }
    // Not the stand-in's either, though its value is right.
    let zeros = hsm.generate_pvv(&source, &visa, b'2', &pan(), &sealed(b"0000")).await.unwrap();
    let reference = PinReference::Visa { pvk: visa, index: b'2', pvv: zeros };
    assert_eq!(hsm.verify_pin(&source, &reference, &pan(), &block(&[9; 8])).await, Ok(Verified(false)));
    assert_eq!(hsm.generate_pvv(&source, &visa, b'x', &pan(), &sealed(b"7379")).await, Err(HsmError::Input(CryptoError::Pvki)));

    let table = DecimalizationTable::new(b"1111111111111111").unwrap();
    let data = ValidationData::new(PAN, 0, 16, b'F').unwrap();
    let made = |hsm: Hsm, table| {
        let (data, source) = (data.clone(), source);
        async move { hsm.generate_offset(&source, &ibm, &table, &data, &pan(), &sealed(b"7379")).await }
    };
    assert_eq!(made(hsm.clone(), table).await, Err(HsmError::TableNotAllowed));
    assert!(made(hsm.clone().allowing(&[table]), table).await.is_ok());
    let offset = made(hsm.clone(), DecimalizationTable::STANDARD).await.unwrap();
    let reference = |table| PinReference::Ibm3624 { pvk: ibm, table, data: data.clone(), offset: offset.clone() };
    let standard = reference(DecimalizationTable::STANDARD);
    assert_eq!(hsm.verify_pin(&source, &standard, &pan(), &sealed(b"7379")).await, Ok(Verified(true)));
    assert_eq!(hsm.verify_pin(&source, &standard, &pan(), &sealed(b"73790")).await, Ok(Verified(false)));
    assert_eq!(hsm.verify_pin(&source, &standard, &pan(), &block(&[9; 8])).await, Ok(Verified(false)));
    assert_eq!(hsm.verify_pin(&source, &reference(table), &pan(), &sealed(b"7379")).await, Err(HsmError::TableNotAllowed));
    for key in [visa, ibm] {
        hsm.destroy_key(&key).await.unwrap();
    }
}

/// One key, one role, one algorithm for a format, and no more than its mode of use.
async fn uses(hsm: &Hsm) {
    let (aes, one_way, to) = (name("zpk-aes"), name("zpk-e"), PinTarget::format0(name("zpk-1")));
    hsm.import_key(&aes, &ClearKey::of(KeyRole::Zpk, Algorithm::Aes128, &AES).unwrap()).await.unwrap();
    let restricted = clear(KeyRole::Zpk, TPK).with_mode(ModeOfUse::Encrypt).unwrap();
    assert_eq!(hsm.import_key(&one_way, &restricted).await.unwrap().mode, ModeOfUse::Encrypt);
    let moved = |source, target| async move { hsm.translate_pin(&source, &target, &pan(), &sealed(b"1234")).await };
    let from = PinSource::format0(name("tpk-1"));
    // To format 4 and back.
    let four = moved(from, PinTarget { key: aes, format: Format::Iso4 }).await.unwrap();
    let key = AesKey::from_bytes(&AES).unwrap();
    assert_eq!(format4::decipher(&key, four.reveal(), PAN).unwrap(), Pin::new(b"1234").unwrap());
    let back = PinSource::Static { key: aes, format: Format::Iso4 };
    let again = hsm.translate_pin(&back, &to, &pan(), &four).await.unwrap();
    let read = crypto::pin::format0_decode(&ClearPinBlock::decrypt(&tdes(ZPK), again.reveal()).unwrap(), PAN).unwrap();
    assert_eq!(read, Pin::new(b"1234").unwrap());
    assert_ne!(moved(from, PinTarget { key: aes, format: Format::Iso4 }).await.unwrap(), four, "filled at random");
    let mut garbled: [u8; 16] = four.reveal().try_into().unwrap();
    garbled[3] ^= 1;
    assert_eq!(hsm.translate_pin(&back, &to, &pan(), &block(&garbled)).await, Err(HsmError::PinBlock));

    let other = |key, algorithm| Err(HsmError::KeyAlgorithm { key, algorithm });
    assert_eq!(moved(from, PinTarget::format0(aes)).await, other(aes, Algorithm::Aes128));
    let wrong = PinTarget { key: name("zpk-1"), format: Format::Iso4 };
    assert_eq!(moved(from, wrong).await, other(name("zpk-1"), Algorithm::TdesDouble));
    let ksn = AesKsn::new(&[1; 12]).unwrap();
    let dukpt = PinSource::DukptAes { bdk: name("bdk-1"), ksn, working: Algorithm::Aes128, format: Format::Iso4 };
    assert_eq!(moved(dukpt, to).await, other(name("bdk-1"), Algorithm::TdesDouble));
    // What is bound to a PAN stays bound, and format 2 is for cards.
    for format in [Format::Iso1, Format::Iso2] {
        let refused = moved(from, PinTarget { key: name("zpk-1"), format }).await;
        assert!(matches!(refused, Err(HsmError::Unsupported(_))), "{format:?}");
    }
    assert_eq!(
        moved(PinSource::format0(one_way), to).await,
        Err(HsmError::NotAllowed { key: one_way, mode: ModeOfUse::Encrypt })
    );
    assert!(moved(from, PinTarget::format0(one_way)).await.is_ok());

    // A key for MACs has one method.
    for method in [MacMethod::Cmac, MacMethod::Cbc(hsm::Padding::Zeros)] {
        let refused = hsm.generate_mac(MacSource::Static { key: name("tak-1"), method }, b"x").await;
        assert_eq!(refused, Err(HsmError::WrongRole { key: name("tak-1"), role: KeyRole::Tak }));
    }
    let verifies = name("tak-v");
    let restricted = clear(KeyRole::Tak, TPK).with_mode(ModeOfUse::Verify).unwrap();
    hsm.import_key(&verifies, &restricted).await.unwrap();
    assert_eq!(hsm.generate_mac(verifies, b"x").await, Err(HsmError::NotAllowed { key: verifies, mode: ModeOfUse::Verify }));
    assert_eq!(hsm.verify_mac(verifies, b"x", &[0; 8]).await, Ok(false));
    for bytes in [3, 9] {
        let cut = hsm.generate_mac_of(name("tak-1"), b"x", bytes).await;
        assert_eq!(cut, Err(HsmError::Input(CryptoError::DataLength)));
    }

    // Data is whole blocks from a whole block.
    let dek = name("dek-1");
    hsm.generate_key_of(&dek, KeyRole::Dek, Algorithm::Aes192, Exportability::NonExportable).await.unwrap();
    let source = DataSource::Static { key: dek };
    let made = hsm.encrypt_data(&source, &[1; 16], &[7; 32]).await.unwrap();
    assert_eq!(hsm.decrypt_data(&source, &[1; 16], &made).await.unwrap().as_slice(), [7; 32]);
    for (start, data) in [(16, 0), (16, 17), (8, 16)] {
        let refused = hsm.encrypt_data(&source, &vec![1; start], &vec![7; data]).await;
        assert_eq!(refused, Err(HsmError::Input(CryptoError::DataLength)));
    }
    let pin_key = DataSource::Static { key: name("tpk-1") };
    let refused = hsm.decrypt_data(&pin_key, &[0; 8], &[9; 8]).await;
    assert_eq!(refused.err(), Some(HsmError::WrongRole { key: name("tpk-1"), role: KeyRole::Tpk }));
    for key in [aes, one_way, verifies, dek] {
        hsm.destroy_key(&key).await.unwrap();
    }
}

async fn cards(hsm: &Hsm) {
    let (cvk, imk) = (name("cvk-1"), name("imk-1"));
    hsm.import_key(&cvk, &clear(KeyRole::Cvk, "0123456789ABCDEFFEDCBA9876543210")).await.unwrap();
    hsm.import_key(&imk, &clear(KeyRole::ImkAc, TPK)).await.unwrap();
    let shown = Track::new(&payments::Pan::new(b"4123456789012345").unwrap(), b"8701", b"101").unwrap();
    // The published sample.
    assert_eq!(hsm.generate_cvv(&cvk, &shown).await.unwrap(), Cvv::new(b"561").unwrap());
    assert_eq!(hsm.verify_cvv(&cvk, &shown, &Cvv::new(b"562").unwrap()).await, Ok(false));
    assert_eq!(hsm.generate_cvv(&imk, &shown).await, Err(HsmError::WrongRole { key: imk, role: KeyRole::ImkAc }));
    assert_eq!(Track::new(&pan(), b"870", b"101").err(), Some(HsmError::Input(CryptoError::Expiry)));
    let of = ChipTransaction::default();
    let card = ChipCard::new(imk, Scheme::VISA_18, &pan(), *b"00").unwrap();
    assert_eq!(hsm.verify_arqc(&card, &of, b"").await, Err(HsmError::Input(CryptoError::EmvData)));
    let of = ChipTransaction { counter: Some([0, 1]), unpredictable: Some([1; 4]), cryptogram: Some([2; 8]) };
    assert_eq!(hsm.verify_arqc(&card, &of, b"").await, Ok(false));
    // Version 18 answers by method 2.
    let refused = hsm.generate_arpc(&card, &of, &ArpcAnswer::Code(*b"00")).await;
    assert_eq!(refused, Err(HsmError::Input(CryptoError::EmvData)));
    assert_eq!(hsm.generate_script_mac(&card, &of, b"", b"").await, Err(HsmError::WrongRole { key: imk, role: KeyRole::ImkAc }));
    let contactless = Contactless { imk, derivation: Derivation::A, sequence: *b"00" };
    let refused = hsm.verify_dcvv(&contactless, &shown, *b"0001", &Cvv::new(b"123").unwrap()).await;
    assert_eq!(refused, Err(HsmError::WrongRole { key: imk, role: KeyRole::ImkAc }));
    let all = format!("{card:?} {shown:?} {contactless:?}");
    assert!(!all.contains(std::str::from_utf8(PAN).unwrap()) && !all.contains("4123456789012345"), "{all}");
    for key in [cvk, imk] {
        hsm.destroy_key(&key).await.unwrap();
    }
}

/// Keys leave only where they may, and come in only as what they are.
async fn blocks(hsm: &Hsm) {
    let (kbpk, weak, zpk, stays, again) = (name("kbpk-1"), name("kbpk-t"), name("zpk-x"), name("zpk-n"), name("zpk-y"));
    hsm.generate_key(&kbpk, KeyRole::Kbpk).await.unwrap();
    hsm.generate_key_of(&weak, KeyRole::Kbpk, Algorithm::TdesTriple, Exportability::NonExportable).await.unwrap();
    hsm.generate_key_of(&zpk, KeyRole::Zpk, Algorithm::Aes256, Exportability::Exportable).await.unwrap();
    hsm.generate_key(&stays, KeyRole::Zpk).await.unwrap();
    assert_eq!(hsm.export_block(&kbpk, &stays, BlockVersion::D).await, Err(HsmError::NotExportable(stays)));
    // A key under a weaker one, a block of another cipher than its protection key, a version that is not there.
    let refused = hsm.export_block(&weak, &zpk, BlockVersion::B).await;
    assert_eq!(refused, Err(HsmError::KeyAlgorithm { key: weak, algorithm: Algorithm::TdesTriple }));
    let refused = hsm.export_block(&kbpk, &zpk, BlockVersion::B).await;
    assert_eq!(refused, Err(HsmError::KeyAlgorithm { key: kbpk, algorithm: Algorithm::Aes256 }));
    assert!(matches!(hsm.export_block(&weak, &zpk, BlockVersion::A).await, Err(HsmError::Unsupported(_))));
    assert_eq!(hsm.export_block(&zpk, &zpk, BlockVersion::D).await, Err(HsmError::WrongRole { key: zpk, role: KeyRole::Zpk }));

    let (text, kcv) = hsm.export_block(&kbpk, &zpk, BlockVersion::D).await.unwrap();
    assert!(text.starts_with("D0144P0AN00E0000"), "{text}");
    let taken = |role, text: String, told| async move { hsm.import_block(&kbpk, &again, role, &text, told).await };
    assert_eq!(taken(KeyRole::Zpk, text.clone(), Some(Kcv([0; 3]))).await, Err(HsmError::KcvMismatch));
    assert_eq!(taken(KeyRole::Dek, text.clone(), None).await, Err(HsmError::BlockUsage(KeyRole::Dek)));
    let changed = text.replacen("P0", "D0", 1);
    assert_eq!(taken(KeyRole::Dek, changed, None).await, Err(HsmError::KeyBlock(CryptoError::BlockMac)));
    assert_eq!(taken(KeyRole::Zpk, text[..100].to_owned(), None).await, Err(HsmError::KeyBlock(CryptoError::BlockLength)));
    let info = taken(KeyRole::Zpk, text.clone(), Some(kcv)).await.unwrap();
    assert_eq!((info.kcv, info.algorithm, info.exportability), (kcv, Algorithm::Aes256, Exportability::Exportable));
    assert_eq!(taken(KeyRole::Zpk, text, None).await, Err(HsmError::KeyExists(again)));
    for key in [kbpk, weak, zpk, stays, again] {
        hsm.destroy_key(&key).await.unwrap();
    }
}

#[test]
fn nothing_of_what_operations_are_told_shows_in_debug() {
    let reference = PinReference::Visa { pvk: name("pvk-1"), index: b'1', pvv: Pvv::new(*b"4057").unwrap() };
    let shown = format!("{reference:?}");
    assert!(shown.contains("[redacted]") && !shown.contains("4057"), "{shown}");
    let reference = PinReference::Ibm3624 {
        pvk: name("pvk-1"),
        table: DecimalizationTable::STANDARD,
        data: ValidationData::new(PAN, 0, 16, b'F').unwrap(),
        offset: Offset::new(b"4683").unwrap(),
    };
    let shown = format!("{reference:?}");
    assert!(!shown.contains("4683") && !shown.contains("5141"), "{shown}");
    let key = ClearKey::of(KeyRole::Zpk, Algorithm::Aes128, &AES).unwrap().with_exportability(Exportability::Sensitive);
    assert_eq!(format!("{key:?}"), "ClearKey(zpk, [redacted])");
}
