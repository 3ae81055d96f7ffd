//! Response codes and action codes, reasons of reversals.

use std::collections::BTreeMap;

use payments::{Outcome, ResponseCode};

use super::table::File;

/// Tables of codes. Each is short, so they are searched as they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Codes {
    /// By class of message: what an approval is.
    approved: Vec<(u8, String)>,
    /// The engine's code and the dialect's; the first one of the engine's is written.
    rows: Vec<(ResponseCode, String)>,
    /// Read, never written.
    read: Vec<(String, ResponseCode)>,
    reasons: Vec<(ResponseCode, String)>,
}

impl Codes {
    pub(super) fn compile(file: &File) -> Result<Self, String> {
        let code = |text: &str| ResponseCode::new(text.as_bytes()).map_err(|error| format!("response code {text}: {error}"));
        let pairs = |table: &BTreeMap<String, Vec<String>>| -> Result<Vec<(ResponseCode, String)>, String> {
            let each = table.iter().map(|(own, all)| code(own).map(|own| all.iter().map(move |wire| (own, wire.clone()))));
            Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        };
        let rows = pairs(&file.codes)?;
        if let Some((own, wire)) = rows.iter().find(|(_, wire)| rows.iter().filter(|(_, other)| other == wire).count() > 1) {
            return Err(format!("codes.{own}: {wire} stands twice"));
        }
        let class = |(class, wire): (&String, &String)| match class.as_bytes() {
            [digit] => Ok((*digit, wire.clone())),
            _ => Err(format!("approved.{class}: one digit wanted")),
        };
        Ok(Self {
            approved: file.approved.iter().map(class).collect::<Result<_, _>>()?,
            rows,
            read: file.codes_read.iter().map(|(wire, own)| code(own).map(|own| (wire.clone(), own))).collect::<Result<_, _>>()?,
            reasons: pairs(&file.reasons)?,
        })
    }

    /// The engine's code of an action code. `None` for one that is not known and might be an approval: an
    /// answer that nobody understands is no answer.
    pub(super) fn read(&self, class: u8, wire: &str) -> Option<ResponseCode> {
        if self.approved.iter().any(|(of, approved)| *of == class && approved == wire) {
            return Some(ResponseCode::APPROVED);
        }
        let known = self.rows.iter().find(|(_, known)| known == wire).map(|(own, _)| *own);
        let known = known.or_else(|| self.read.iter().find(|(known, _)| known == wire).map(|(_, own)| *own));
        known.or(match wire.as_bytes().first() {
            Some(b'1') => Some(ResponseCode::DO_NOT_HONOUR),
            Some(b'2') => Some(ResponseCode::PICK_UP),
            Some(b'9') => Some(ResponseCode::MALFUNCTION),
            _ => None,
        })
    }

    /// The action code of the engine's code.
    pub(super) fn write(&self, class: u8, own: ResponseCode) -> Option<&str> {
        let row = |code: ResponseCode| self.rows.iter().find(|(known, _)| *known == code).map(|(_, wire)| wire.as_str());
        let approved = || self.approved.iter().find(|(of, _)| *of == class).map(|(_, wire)| wire.as_str());
        if own == ResponseCode::APPROVED {
            return approved();
        }
        row(own).or_else(|| match own.outcome() {
            Outcome::Approved => approved(),
            Outcome::Partial => row(ResponseCode::PARTIAL),
            Outcome::Declined => row(ResponseCode::DO_NOT_HONOUR),
        })
    }

    /// Why a reversal is made; a reason that is not known is none.
    pub(super) fn read_reason(&self, wire: &str) -> Option<ResponseCode> {
        self.reasons.iter().find(|(_, known)| known == wire).map(|(own, _)| *own)
    }

    pub(super) fn write_reason(&self, own: ResponseCode) -> Option<&str> {
        let row = |code: ResponseCode| self.reasons.iter().find(|(known, _)| *known == code).map(|(_, wire)| wire.as_str());
        row(own).or_else(|| row(ResponseCode::MALFUNCTION))
    }
}
