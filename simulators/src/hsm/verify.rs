//! PINs held against what an issuer keeps of them.

use crypto::pvv::{self, Pvv};
use zeroize::Zeroizing;

use super::codes::Code;
use super::device::{Answer, DONE};
use super::fields::Fields;
use super::keys::{self, Role};
use super::lmk::Lmk;
use super::pins::{self, Layout};

/// DC and EC: the Visa method.
pub(super) fn visa(fields: &mut Fields<'_>, role: &Role) -> Answer {
    let key = keys::take(fields, Lmk::Test, role, Code::FIRST_PARITY)?;
    let verification = keys::take(fields, Lmk::Test, &keys::PVK, Code::SECOND_PARITY)?;
    let block = fields.hex(16)?;
    let layout = Layout::take(fields)?;
    let pan = pins::account(fields, false)?;
    let index = fields.digits(1)?.first().copied().unwrap_or_default();
    let kept = Pvv::new(fields.array()?).map_err(|_| Code::INPUT)?;
    let pin = pins::open(&key, layout, &block, &pan)?;
    if pvv::verify(verification.double()?, index, &pin, &pan, &kept)? { DONE } else { Err(Code::FAILED) }
}

/// DA and EA: the IBM 3624 method.
pub(super) fn ibm(fields: &mut Fields<'_>, role: &Role, strict: bool) -> Answer {
    let key = keys::take(fields, Lmk::Test, role, Code::FIRST_PARITY)?;
    let verification = keys::take(fields, Lmk::Test, &keys::PVK, Code::SECOND_PARITY)?;
    if fields.bytes(2)? != b"12" {
        return Err(Code::INPUT);
    }
    let block = fields.hex(16)?;
    let layout = Layout::take(fields)?;
    let least = fields.number(2)?;
    let pan = pins::account(fields, false)?;
    let table: [u8; 16] = fields.array()?;
    check_table(&table, strict)?;
    let validation = validation_data(fields.array()?, &pan)?;
    let offset = offset(fields.array()?)?;
    let pin = pins::open(&key, layout, &block, &pan)?;

    let sealed = Zeroizing::new(verification.any_des()?.encrypt_block(validation));
    let nibbles = sealed.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let natural = nibbles.map(|nibble| table.get(usize::from(nibble)).map_or(0, |digit| digit & 0x0F));
    let wanted = natural.zip(&offset).map(|(natural, offset)| b'0' + (natural + (offset & 0x0F)) % 10);
    let right = Zeroizing::new(wanted.collect::<Vec<u8>>());
    if pin.reveal().len() < least || !crypto::same(&right, pin.reveal()) {
        return Err(Code::FAILED);
    }
    Ok((if verification.is_single() { Code::DONE } else { Code::LONG_PVK }, Vec::new()))
}

/// Digits; where it is strict at least eight different ones, none more than four times.
fn check_table(table: &[u8; 16], strict: bool) -> Result<(), Code> {
    let mut times = [0u8; 10];
    for digit in table {
        let at = digit.checked_sub(b'0').ok_or(Code::TABLE)?;
        *times.get_mut(usize::from(at)).ok_or(Code::TABLE)? += 1;
    }
    let different = times.iter().filter(|count| **count > 0).count();
    if !strict || different >= 8 && times.iter().all(|count| *count <= 4) { Ok(()) } else { Err(Code::TABLE) }
}

/// Twelve characters with one `N`, in whose place the last five digits of the account go.
fn validation_data(field: [u8; 12], pan: &[u8]) -> Result<[u8; 8], Code> {
    let account = pan.get(..12).ok_or(Code::ACCOUNT)?;
    let (_, last) = account.split_last_chunk::<5>().ok_or(Code::ACCOUNT)?;
    let at = field.iter().position(|character| *character == b'N').ok_or(Code::INPUT)?;
    let (before, rest) = field.split_at(at);
    let text = [before, last, rest.get(1..).unwrap_or_default()].concat();
    let raw = hex::decode(text).map_err(|_| Code::INPUT)?;
    raw.try_into().map_err(|_| Code::INPUT)
}

/// Digits, left-justified, the rest F.
fn offset(field: [u8; 12]) -> Result<Vec<u8>, Code> {
    let digits: Vec<u8> = field.iter().copied().take_while(u8::is_ascii_digit).collect();
    let filled = field.iter().skip(digits.len()).all(|character| *character == b'F');
    if filled && digits.len() >= 4 { Ok(digits) } else { Err(Code::INPUT) }
}
