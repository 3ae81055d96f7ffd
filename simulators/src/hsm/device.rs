//! One request to one answer: which command it is, and the frame of the answer.

use super::codes::Code;
use super::fields::Fields;
use super::{chip, cvv, data, macs, manage, pins, verify};

/// Where random bytes come from: keys that are made, the fill of PIN blocks.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]);

/// What a command answers: 00 or an advice, and the fields after it.
pub(super) type Answer = Result<(Code, Vec<u8>), Code>;

/// A command's answer without fields.
pub(super) const DONE: Answer = Ok((Code::DONE, Vec::new()));

/// Bytes of the header that a host chooses.
const HEADER: usize = 4;
/// LMK check value and firmware that the simulator states.
const DIAGNOSTICS: &[u8; 25] = b"26860476020000000007-E000";

/// The simulated HSM. It keeps nothing between commands, so one serves any number of connections.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    check_tables: bool,
}

impl Default for Device {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Device {
    /// An HSM with the test master keys. Boxes refuse decimalisation tables of few digits unless their
    /// operator set them not to (`check_tables`).
    pub fn new(check_tables: bool) -> Self {
        Self { check_tables }
    }

    /// The answer to a message (header, code, fields). `None` where it is too short for one.
    pub fn answer(&self, message: &[u8], random: Random<'_>) -> Option<Vec<u8>> {
        let (code, mut fields) = opened(message)?;
        let result = self.perform(code, &mut fields, random).and_then(|done| Ok((done, fields.end()?)));
        let ((error, body), trailer) = match result {
            Ok(((error, body), trailer)) => ((error, body), trailer),
            Err(error) => ((error, Vec::new()), &[][..]),
        };
        let mut out = head(message, code);
        out.extend_from_slice(&error.0);
        out.extend_from_slice(&body);
        out.extend_from_slice(trailer);
        Some(out)
    }

    /// An answer that says an error whatever was asked: trouble on purpose.
    pub fn refusal(&self, message: &[u8], error: [u8; 2]) -> Option<Vec<u8>> {
        let (code, _) = opened(message)?;
        let mut out = head(message, code);
        out.extend_from_slice(&error);
        Some(out)
    }

    fn perform(&self, code: [u8; 2], fields: &mut Fields<'_>, random: Random<'_>) -> Answer {
        match &code {
            b"NC" => Ok((Code::DONE, DIAGNOSTICS.to_vec())),
            b"B2" => echo(fields),
            b"A0" => manage::generate(fields, random),
            b"A4" => manage::components(fields),
            b"A6" => manage::import(fields),
            b"A8" => manage::export(fields),
            b"BU" => manage::check_value(fields),
            b"BW" => manage::to_new_master_keys(fields),
            b"CA" => pins::from_terminal(fields, random),
            b"CC" => pins::from_zone(fields, random),
            b"G0" => pins::from_dukpt(fields, random),
            b"DC" => verify::visa(fields, &super::keys::TPK),
            b"EC" => verify::visa(fields, &super::keys::ZPK),
            b"DA" => verify::ibm(fields, &super::keys::TPK, self.check_tables),
            b"EA" => verify::ibm(fields, &super::keys::ZPK, self.check_tables),
            b"CW" => cvv::make(fields),
            b"CY" => cvv::check(fields),
            b"KQ" => chip::static_keys(fields),
            b"KW" => chip::session_keys(fields),
            b"M0" => data::encrypt(fields),
            b"M2" => data::decrypt(fields),
            b"M4" => data::translate(fields),
            b"M6" => macs::make(fields),
            b"M8" => macs::check(fields),
            b"GW" => macs::dukpt(fields),
            _ => Err(Code::DISABLED),
        }
    }
}

fn opened(message: &[u8]) -> Option<([u8; 2], Fields<'_>)> {
    let rest = message.get(HEADER..)?;
    let (code, body) = rest.split_first_chunk()?;
    Some((*code, Fields::new(body)))
}

/// The header unchanged, and the command's code with its second character one further.
fn head(message: &[u8], [first, second]: [u8; 2]) -> Vec<u8> {
    let mut out = message.get(..HEADER).unwrap_or_default().to_vec();
    out.extend([first, second.wrapping_add(1)]);
    out
}

fn echo(fields: &mut Fields<'_>) -> Answer {
    let length = fields.hex_number(4)?;
    Ok((Code::DONE, fields.bytes(length)?.to_vec()))
}
