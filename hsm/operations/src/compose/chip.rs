//! Chip cards: cryptograms, answers to them, and the MACs of scripts, by the rules of the card's scheme.

use crypto::emv::cryptogram::{response_1_block, response_2_data};
use crypto::emv::scheme::{Answer, CryptogramKey, ScriptKey, Transaction};
use crypto::emv::session;
use crypto::mac::Padding;
use crypto::tdes::Block;
use crypto::{CryptoError, TdesKey};
use zeroize::Zeroizing;

use super::cipher::{Pair, block, derive};
use super::mac::MOST_DATA;
use crate::keys::Use;
use crate::purpose::{ArpcAnswer, ChipCard};
use crate::token::{Fault, Key, Token, Way, require};
use crate::{Algorithm, HsmError, KeyRole};

/// Whether the transaction's cryptogram is the card's over this data.
pub(crate) fn verify_arqc(token: &mut dyn Token, card: &ChipCard, of: &Transaction, data: &[u8]) -> Result<bool, Fault> {
    let received = of.cryptogram.ok_or(CryptoError::EmvData)?;
    if data.len() > MOST_DATA {
        return Err(HsmError::TooLong.into());
    }
    let key = session_key(token, card, card.scheme.request_key(), of)?;
    let right = key.retail_mac(token, data, card.scheme.padding())?;
    let same = crypto::same(&right, &received);
    if !same {
        metrics::counter!("hsm_card_mismatches_total", "kind" => "arqc").increment(1);
    }
    Ok(same)
}

/// The issuer's answer to the transaction's cryptogram: 8 bytes by method 1, 4 by method 2.
pub(crate) fn generate_arpc(
    token: &mut dyn Token,
    card: &ChipCard,
    of: &Transaction,
    answer: &ArpcAnswer,
) -> Result<Vec<u8>, Fault> {
    let cryptogram = of.cryptogram.ok_or(CryptoError::EmvData)?;
    let key = session_key(token, card, card.scheme.answer_key(), of)?;
    match (card.scheme.answers_with_code(), answer.answer()) {
        (true, Answer::Code(code)) => Ok(block(token, &key.whole, Way::Encrypt, &response_1_block(&cryptogram, code))?.to_vec()),
        (false, Answer::Status(status, proprietary)) => {
            let data = response_2_data(&cryptogram, status, proprietary)?;
            let [a, b, c, d, ..] = key.retail_mac(token, &data, Padding::OneThenZeros)?;
            Ok(vec![a, b, c, d])
        }
        _ => Err(CryptoError::EmvData.into()),
    }
}

/// The MAC of a script's command.
pub(crate) fn script_mac(
    token: &mut dyn Token,
    card: &ChipCard,
    of: &Transaction,
    header: &[u8],
    data: &[u8],
) -> Result<Block, Fault> {
    if header.len().saturating_add(data.len()) > MOST_DATA {
        return Err(HsmError::TooLong.into());
    }
    let imk = require(token, &card.imk, &[KeyRole::ImkSmi], Use::Derive)?.whole();
    let between = card.scheme.between(of)?;
    let blocks = card.scheme.derivation().blocks(&card.card()?);
    let key = match card.scheme.script_key() {
        ScriptKey::Cryptogram => {
            let master = derive(token, &imk, blocks.as_flattened(), Algorithm::TdesDouble)?;
            let value = of.cryptogram.ok_or(CryptoError::EmvData)?;
            Pair::derived(token, &master, session::common_blocks(value))?
        }
        // An exclusive or of the card's key with the counter, which a token does not make: the card's key is in
        // memory.
        ScriptKey::VisaCounter => {
            let counter = of.counter.ok_or(CryptoError::EmvData)?;
            let [left, right] = blocks;
            let left = block(token, &imk, Way::Encrypt, &left)?;
            let right = block(token, &imk, Way::Encrypt, &right)?;
            let master = TdesKey::unchecked(&Zeroizing::new([*left, *right].concat()))?.with_odd_parity();
            Pair::clear(Key::Tdes(session::visa_messaging(&master, counter)?))?
        }
    };
    let whole = Zeroizing::new([header, &between, data].concat());
    key.retail_mac(token, &whole, Padding::OneThenZeros)
}

/// The key of cryptograms or answers, which is derived in two steps or is the card's own.
fn session_key(token: &mut dyn Token, card: &ChipCard, which: CryptogramKey, of: &Transaction) -> Result<Pair, Fault> {
    let imk = require(token, &card.imk, &[KeyRole::ImkAc], Use::Derive)?.whole();
    let blocks = card.scheme.derivation().blocks(&card.card()?);
    match which.diversification(of)? {
        None => Pair::derived(token, &imk, blocks),
        Some(value) => {
            let master = derive(token, &imk, blocks.as_flattened(), Algorithm::TdesDouble)?;
            Pair::derived(token, &master, session::common_blocks(value))
        }
    }
}
