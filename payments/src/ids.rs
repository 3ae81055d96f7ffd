//! Identities: who sent, what it is called, and where it belongs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{Text, TextError, digits, number};

/// The acquirer that an ingress link is bound to by configuration and TLS identity.
pub type AcquirerId = Text<16>;
/// DE32/DE33 institution identification code, up to 11 digits on the wire.
pub type InstitutionId = Text<11>;
/// DE41, card acceptor terminal identification.
pub type TerminalId = Text<8>;
/// DE42, card acceptor identification code (MID).
pub type MerchantId = Text<15>;
/// DE18, merchant category code.
pub type MerchantCategory = Text<4>;
/// DE38, approval code.
pub type ApprovalCode = Text<6>;
/// The network's own transaction id (for example a trace id); part of the clearing data.
pub type NetworkTransactionId = Text<32>;
/// Name of a configured link: the logical connection to a counterparty, one or more sockets.
pub type LinkId = Text<24>;
/// Name of a configured route.
pub type RouteId = Text<24>;

/// Systems trace audit number, DE11: 000001 to 999999. 000000 is not used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stan(u32);

impl Stan {
    /// From a number of 1 to 999999.
    pub fn new(number: u32) -> Result<Self, TextError> {
        if (1..=999_999).contains(&number) { Ok(Self(number)) } else { Err(TextError::OutOfRange) }
    }

    /// From six ASCII digits.
    pub fn parse(raw: &[u8]) -> Result<Self, TextError> {
        if raw.len() != 6 {
            return Err(TextError::Length { got: raw.len(), want: 6 });
        }
        Self::new(u32::try_from(number(raw)?).map_err(|_| TextError::OutOfRange)?)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl fmt::Display for Stan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Retrieval reference number, DE37: 12 characters (`an`), one for the whole life of a payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rrn(Text<12>);

impl Rrn {
    /// From the 12 characters.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        if raw.len() != 12 {
            return Err(TextError::Length { got: raw.len(), want: 12 });
        }
        if let Some(offset) = raw.iter().position(|b| !b.is_ascii_alphanumeric()) {
            return Err(TextError::NotPrintable { offset });
        }
        Ok(Self(Text::from_bytes(raw)?))
    }

    /// The 12 characters.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Rrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Display for Rrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// A payment: UUID version 7 (RFC 9562), from engine time and a per-shard counter, so ids of a
/// shard sort by when they began.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PaymentId(pub uuid::Uuid);

impl PaymentId {
    /// Before every payment.
    pub const FIRST: Self = Self(uuid::Uuid::nil());
}

impl fmt::Debug for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A shard of the record: every key leads with it, every command touches exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard of an acquirer's merchant among `shards` (FNV-1a over both identities), derivable
    /// from any message's claim key alone.
    pub fn of(acquirer: &AcquirerId, merchant: &MerchantId, shards: u16) -> Self {
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        let hash = acquirer.as_bytes().iter().fold(0xCBF2_9CE4_8422_2325, fold);
        let hash = merchant.as_bytes().iter().fold(fold(hash, &0), fold);
        Self(u16::try_from(hash % u64::from(shards.max(1))).unwrap_or(0))
    }
}

/// Processing code, DE3: transaction type, account from, account to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessingCode(Text<6>);

impl ProcessingCode {
    /// From six ASCII digits.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        if raw.len() != 6 {
            return Err(TextError::Length { got: raw.len(), want: 6 });
        }
        digits(raw)?;
        Ok(Self(Text::from_bytes(raw)?))
    }

    /// The six digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The first two digits, the transaction type: 00 purchase, 20 refund, 31 balance.
    pub fn transaction_type(&self) -> &str {
        self.0.as_str().get(..2).unwrap_or_default()
    }
}

impl fmt::Debug for ProcessingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stan_zero_does_not_exist() {
        assert_eq!(Stan::parse(b"000000"), Err(TextError::OutOfRange));
        assert_eq!(Stan::parse(b"00004x"), Err(TextError::NotDigit { offset: 5 }));
        assert_eq!(Stan::parse(b"000042").unwrap().to_string(), "000042");
    }

    #[test]
    fn a_merchant_has_one_shard() {
        let acquirer = AcquirerId::new("ACQ1").unwrap();
        let merchant = MerchantId::new("M0001").unwrap();
        assert_eq!(Shard::of(&acquirer, &merchant, 8), Shard::of(&acquirer, &merchant, 8));
        assert_eq!(Shard::of(&acquirer, &merchant, 0), Shard(0));
    }
}
