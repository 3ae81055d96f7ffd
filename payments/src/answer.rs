//! Answers: what an issuer or we ourselves decided, and what is kept of it for repeats.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{Text, TextError};
use crate::{Amount, ApprovalCode, NetworkTransactionId};

/// DE39, two alphanumeric characters in 1987 numbering.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseCode(Text<2>);

/// What a response code means for money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Approved in full.
    Approved,
    /// Approved for less than was asked (10, and 87: purchase without cash-back).
    Partial,
    /// Not approved.
    Declined,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        impl ResponseCode {
            $($(#[$doc])* pub const $name: Self = Self::literal($code);)*
        }
    };
}

codes! {
    /// Approved.
    APPROVED = "00";
    /// Refer to card issuer.
    REFER = "01";
    /// Invalid merchant.
    INVALID_MERCHANT = "03";
    /// Pick up the card.
    PICK_UP = "04";
    /// Do not honour.
    DO_NOT_HONOUR = "05";
    /// Error.
    ERROR = "06";
    /// Approved for a partial amount.
    PARTIAL = "10";
    /// Invalid transaction.
    INVALID_TRANSACTION = "12";
    /// Invalid amount.
    INVALID_AMOUNT = "13";
    /// No such card.
    INVALID_CARD = "14";
    /// No such issuer: no route.
    NO_ROUTE = "15";
    /// Customer cancellation: why a reversal is made.
    CUSTOMER_CANCELLATION = "17";
    /// No action taken: nothing to reverse or already done.
    NO_ACTION = "21";
    /// Unable to locate the original.
    NOT_FOUND = "25";
    /// Format error.
    FORMAT_ERROR = "30";
    /// Not sufficient funds.
    INSUFFICIENT_FUNDS = "51";
    /// Expired card.
    EXPIRED_CARD = "54";
    /// Wrong PIN.
    WRONG_PIN = "55";
    /// Transaction not permitted to terminal.
    NOT_PERMITTED_TO_TERMINAL = "58";
    /// Suspected fraud.
    SUSPECTED_FRAUD = "59";
    /// Exceeds amount limit.
    EXCEEDS_LIMIT = "61";
    /// Security violation (wrong MAC).
    SECURITY_VIOLATION = "63";
    /// Exceeds frequency limit.
    EXCEEDS_FREQUENCY = "65";
    /// Response received too late.
    TIMEOUT = "68";
    /// PIN cryptographic error.
    PIN_CRYPTO_ERROR = "81";
    /// Issuer or switch inoperative.
    UNAVAILABLE = "91";
    /// Duplicate transmission in conflict with the first.
    CONFLICT = "94";
    /// System malfunction.
    MALFUNCTION = "96";
}

impl ResponseCode {
    const fn literal(code: &str) -> Self {
        Self(Text::literal(code))
    }

    /// From two alphanumeric characters.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        if raw.len() != 2 {
            return Err(TextError::Length { got: raw.len(), want: 2 });
        }
        match raw.iter().position(|b| !b.is_ascii_alphanumeric()) {
            Some(offset) => Err(TextError::NotPrintable { offset }),
            None => Ok(Self(Text::from_bytes(raw)?)),
        }
    }

    /// The two characters.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What it means for money. The approved set is that of SEMANTICS rule 4: 00, 08 (honour with
    /// identification), 10, 11 (VIP), 16 (update track 3), 85 (no reason to decline), 87.
    pub fn outcome(&self) -> Outcome {
        match self.as_str() {
            "00" | "08" | "11" | "16" | "85" => Outcome::Approved,
            "10" | "87" => Outcome::Partial,
            _ => Outcome::Declined,
        }
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An answer to a request, canonical. Also what is stored for repeats: it holds no sensitive
/// authentication data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// DE39. For a credit transfer the mapped code; the status itself stands in `transfer`.
    pub code: ResponseCode,
    /// DE38.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalCode>,
    /// The approved (or final) amount, DE4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Response DE55 (issuer authentication data and scripts), for repeats too.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "hex::serde")]
    pub icc: Vec<u8>,
    /// Balances, DE54, as the wire has them. Empty in what is stored.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub balances: Text<120>,
    /// DE15, the network's settlement date `MMDD`.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub settlement_date: Text<4>,
    /// The network's transaction id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<NetworkTransactionId>,
    /// DE44 result of address verification, one character.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub avs_result: Text<1>,
    /// DE44 result of the card verification value, one character.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub cvv_result: Text<1>,
    /// Result of cardholder authentication (CAVV/AAV), one character.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub authentication_result: Text<1>,
    /// ISO 20022: the transaction status and reason (`ACSC`, `RJCT` + `AC04`), empty for cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferStatus>,
}

/// The status of a credit transfer as pacs.002 carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferStatus {
    /// TxSts: ACSC, ACSP, PDNG, RJCT.
    pub status: Text<4>,
    /// StsRsnInf/Rsn/Cd, for RJCT.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text<4>,
}

impl Answer {
    /// An answer that carries nothing but a code: our own declines.
    pub fn code(code: ResponseCode) -> Self {
        Self {
            code,
            approval: None,
            amount: None,
            icc: Vec::new(),
            balances: Text::EMPTY,
            settlement_date: Text::EMPTY,
            network_id: None,
            avs_result: Text::EMPTY,
            cvv_result: Text::EMPTY,
            authentication_result: Text::EMPTY,
            transfer: None,
        }
    }

    /// What it means for money.
    pub fn outcome(&self) -> Outcome {
        self.code.outcome()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approved_is_a_set_with_meaning() {
        let outcome = |code: &str| ResponseCode::new(code.as_bytes()).unwrap().outcome();
        assert_eq!(outcome("85"), Outcome::Approved);
        assert_eq!(outcome("10"), Outcome::Partial);
        assert_eq!(outcome("01"), Outcome::Declined);
    }
}
