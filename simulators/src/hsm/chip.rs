//! Application cryptograms of chip cards and the issuer's answers.

use crypto::TdesKey;
use crypto::emv::cryptogram::{self, response_1, response_2};
use crypto::emv::session::{self, Tree};
use crypto::emv::{Card, Derivation, master_key};
use crypto::mac::Padding;
use zeroize::Zeroizing;

use super::codes::Code;
use super::device::Answer;
use super::fields::Fields;
use super::keys;
use super::lmk::Lmk;

/// What a mode asks for.
struct Mode {
    check: bool,
    answer: Reply,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reply {
    None,
    Code,
    Status,
}

impl Mode {
    fn take(fields: &mut Fields<'_>, with_status: bool) -> Result<Self, Code> {
        let (check, answer) = match fields.one()? {
            b'0' => (true, Reply::None),
            b'1' => (true, Reply::Code),
            b'2' => (false, Reply::Code),
            b'3' if with_status => (true, Reply::Status),
            b'4' if with_status => (false, Reply::Status),
            _ => return Err(Code::CHIP_MODE),
        };
        Ok(Self { check, answer })
    }
}

/// KQ: the card's own key, or Mastercard's session key of counter and unpredictable number.
pub(super) fn static_keys(fields: &mut Fields<'_>) -> Answer {
    let mode = Mode::take(fields, false)?;
    let scheme = fields.one()?;
    if !matches!(scheme, b'0' | b'1') {
        return Err(Code::CHIP_SCHEME);
    }
    let issuer = keys::take(fields, Lmk::Test, &keys::MK_AC, Code::FIRST_PARITY)?;
    let card = option_a(issuer.double()?, fields.array()?)?;
    let (counter, unpredictable) = (fields.array()?, fields.array()?);
    let session = match scheme {
        b'0' => card.clone(),
        _ => session::common(&card, session::by_counter_and_unpredictable(counter, unpredictable))?,
    };
    finish(fields, &mode, &session, &card)
}

/// KW: session keys by EMV, of the tree or common.
pub(super) fn session_keys(fields: &mut Fields<'_>) -> Answer {
    let mode = Mode::take(fields, true)?;
    let (tree, option_b) = match fields.one()? {
        b'0' => (true, false),
        b'1' => (true, true),
        b'2' => (false, false),
        b'3' => (false, true),
        _ => return Err(Code::CHIP_SCHEME),
    };
    let issuer = keys::take(fields, Lmk::Test, &keys::MK_AC, Code::FIRST_PARITY)?;
    let issuer = issuer.double()?;
    let start: Option<[u8; 16]> = if tree { Some(fields.array()?) } else { None };
    let card = if option_b { option_b_key(issuer, fields)? } else { option_a(issuer, fields.array()?)? };
    let shape = match (tree, tree.then(|| fields.one()).transpose()?) {
        (true, Some(b'0')) => Some(Tree::Binary),
        (true, Some(b'1')) => Some(Tree::Quaternary),
        (true, _) => return Err(Code::TREE),
        (false, _) => None,
    };
    let counter: [u8; 2] = fields.array()?;
    let session = match (shape, start) {
        (Some(shape), Some(start)) => session::tree(&card, counter, shape, start)?,
        _ => session::common(&card, session::by_counter(counter))?,
    };
    finish(fields, &mode, &session, &session)
}

/// The card's key of the sixteen digits that the host prepared.
fn option_a(issuer: &TdesKey, digits: [u8; 8]) -> Result<TdesKey, Code> {
    let halves = [issuer.encrypt_block(digits), issuer.encrypt_block(digits.map(|byte| !byte))];
    let raw = Zeroizing::new(halves.concat());
    Ok(TdesKey::unchecked(&raw)?.with_odd_parity())
}

/// The card's key by option B: the length of the PAN, then PAN and sequence number in whole bytes.
fn option_b_key(issuer: &TdesKey, fields: &mut Fields<'_>) -> Result<TdesKey, Code> {
    let length = fields.number(2)?;
    let digits = length + 2;
    let packed = fields.bytes(digits.div_ceil(2))?;
    fields.mark(b';')?;
    let text = hex::encode(packed);
    let text = text.get(text.len() - digits..).ok_or(Code::INPUT)?.as_bytes();
    let (pan, sequence) = text.split_at_checked(length).ok_or(Code::INPUT)?;
    let card = Card::new(pan, sequence).map_err(|_| Code::INPUT)?;
    Ok(master_key(issuer, Derivation::B, &card)?)
}

/// Checks the cryptogram under `session` and answers it under `answering`, as the mode says.
fn finish(fields: &mut Fields<'_>, mode: &Mode, session: &TdesKey, answering: &TdesKey) -> Answer {
    let data = if mode.check {
        let length = fields.hex_number(2)?;
        if length == 0 {
            return Err(Code::NO_DATA);
        }
        let data = fields.bytes(length)?;
        fields.mark(b';')?;
        Some(data)
    } else {
        None
    };
    let received: [u8; 8] = fields.array()?;
    let answer = match mode.answer {
        Reply::None => Vec::new(),
        Reply::Code => response_1(answering, &received, fields.array()?).to_vec(),
        Reply::Status => {
            let status = fields.array()?;
            let length = fields.number(1)?;
            response_2(answering, &received, status, fields.bytes(length)?)?.to_vec()
        }
    };
    match data {
        // The host pads; zeros to whole blocks are added by the box.
        Some(data) if !cryptogram::verify(session, data, Padding::Zeros, &received) => Err(Code::FAILED),
        _ => Ok((Code::DONE, answer)),
    }
}
