//! The dialect of bank links: pacs.008, pacs.002 and pacs.028 in a business message envelope
//! (docs/wire.md, "Bank links") to and from the canonical messages.
//!
//! What the canonical transfer cannot hold is not dropped in silence where it says where the money
//! goes, who pays for it or what was promised about it: such a transfer is refused (see
//! [`MUST_NOT_BE_LOST`]). The rest that no view reads is counted by the caller from
//! [`Decoded::unread`].

mod answer;
mod fault;
mod outgoing;
mod request;

pub use fault::{Fault, LinkFault, Refusal};
pub use request::{Decoded, MUST_NOT_BE_LOST, RejectedTransfer};

use iso20022::{Agent, Bic, BusinessHeader, ChargeBearer, DateTime, Document, Endpoint, Envelope, Limits, SettlementMethod};
use payments::Wall;
use serde::Deserialize;

/// A bank link: who we are on it, who the peer is, and what both agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "LinkSettings")]
pub struct Link {
    own: Bic,
    peer: Bic,
    settlement_method: SettlementMethod,
    charge_bearer: ChargeBearer,
    business_service: Option<iso20022::Text<35>>,
    limits: Limits,
}

/// The settings of a bank link as a configuration file has them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSettings {
    /// Our BIC, 8 or 11 characters: `Fr` of what we send.
    pub own_bic: String,
    /// The peer's BIC: `To` of what we send, and the only `Fr` that is taken.
    pub peer_bic: String,
    /// `SttlmMtd` of every transfer: INDA, INGA, COVE or CLRG.
    #[serde(default = "clearing")]
    pub settlement_method: String,
    /// `ChrgBr` of every transfer: DEBT, CRED, SHAR or SLEV.
    #[serde(default = "service_level")]
    pub charge_bearer: String,
    /// `BizSvc` of what we send, where the peer wants one.
    #[serde(default)]
    pub business_service: Option<String>,
    /// Largest envelope that is read, in bytes.
    #[serde(default = "largest")]
    pub max_bytes: usize,
}

fn clearing() -> String {
    SettlementMethod::Clearing.code().to_owned()
}

fn service_level() -> String {
    ChargeBearer::ServiceLevel.code().to_owned()
}

fn largest() -> usize {
    Limits::LINK.document_bytes
}

impl LinkSettings {
    /// Defaults for a pair of BICs.
    pub fn new(own_bic: &str, peer_bic: &str) -> Self {
        Self {
            own_bic: own_bic.to_owned(),
            peer_bic: peer_bic.to_owned(),
            settlement_method: clearing(),
            charge_bearer: service_level(),
            business_service: None,
            max_bytes: largest(),
        }
    }
}

impl TryFrom<LinkSettings> for Link {
    type Error = LinkFault;
    fn try_from(settings: LinkSettings) -> Result<Self, LinkFault> {
        let refused = |setting| move |content| LinkFault { setting, content };
        Ok(Self {
            own: Bic::new(&settings.own_bic).map_err(refused("own_bic"))?,
            peer: Bic::new(&settings.peer_bic).map_err(refused("peer_bic"))?,
            settlement_method: SettlementMethod::parse(&settings.settlement_method).map_err(refused("settlement_method"))?,
            charge_bearer: ChargeBearer::parse(&settings.charge_bearer).map_err(refused("charge_bearer"))?,
            business_service: settings
                .business_service
                .map(iso20022::Text::new)
                .transpose()
                .map_err(refused("business_service"))?,
            limits: Limits { document_bytes: settings.max_bytes, ..Limits::LINK },
        })
    }
}

impl Link {
    /// A link with defaults.
    ///
    /// # Errors
    /// When one of the two is not a BIC.
    pub fn new(own_bic: &str, peer_bic: &str) -> Result<Self, LinkFault> {
        LinkSettings::new(own_bic, peer_bic).try_into()
    }

    /// Whether a header comes from the peer and is meant for us.
    fn addressed(&self, header: &BusinessHeader) -> Result<(), Fault> {
        let is = |endpoint: &Endpoint, bic| endpoint.bic().is_some_and(|it| same_bank(it, bic));
        if !is(&header.from, self.peer) {
            Err(Fault::Sender)
        } else if !is(&header.to, self.own) {
            Err(Fault::Addressee)
        } else {
            Ok(())
        }
    }

    /// Puts a document into its envelope. The business message id is the message id.
    fn envelope(&self, id: &iso20022::Text<35>, created: &DateTime, document: Document) -> Result<Vec<u8>, Fault> {
        let definition = document.definition().unwrap_or_default();
        let header = BusinessHeader {
            from: Endpoint::Institution(Agent::from(self.own)),
            to: Endpoint::Institution(Agent::from(self.peer)),
            business_message_id: id.clone(),
            message_definition: iso20022::Text::new(definition).map_err(Fault::unfit("MsgDefIdr"))?,
            business_service: self.business_service.clone(),
            created: created.clone(),
            copy_duplicate: None,
            possible_duplicate: None,
        };
        let bytes = iso20022::write(&Envelope { header, document });
        if bytes.len() > self.limits.document_bytes { Err(Fault::TooLarge) } else { Ok(bytes) }
    }

    fn agents(&self) -> [Option<Agent>; 2] {
        [Some(Agent::from(self.own)), Some(Agent::from(self.peer))]
    }
}

/// A BIC of 8 characters names the primary office, as the same with `XXX` does (ISO 9362).
fn same_bank(one: Bic, other: Bic) -> bool {
    let office = |bic: &Bic| bic.as_str().strip_suffix("XXX").filter(|it| it.len() == 8).unwrap_or(bic.as_str()).to_owned();
    office(&one) == office(&other)
}

/// `CreDtTm` and `CreDt`.
fn moment(at: Wall) -> Result<DateTime, Fault> {
    DateTime::from_unix_micros(at.0).map_err(Fault::unfit("CreDtTm"))
}

/// Canonical text as an ISO 20022 text; empty is absent.
fn iso<const N: usize, const MAX: usize>(
    text: &payments::Text<N>,
    element: &'static str,
) -> Result<Option<iso20022::Text<MAX>>, Fault> {
    if text.is_empty() { Ok(None) } else { iso20022::Text::new(text.as_str()).map(Some).map_err(Fault::unfit(element)) }
}

/// As [`iso`], where it must not be absent.
fn need<const N: usize, const MAX: usize>(text: &payments::Text<N>, element: &'static str) -> Result<iso20022::Text<MAX>, Fault> {
    iso20022::Text::new(text.as_str()).map_err(Fault::unfit(element))
}

/// An ISO 20022 text as canonical text, which is printable ASCII without trailing blanks. A value
/// that would change on the way is refused: it is echoed and compared later.
fn canonical<const N: usize>(text: &str, element: &'static str) -> Result<payments::Text<N>, Fault> {
    match payments::Text::new(text) {
        Ok(same) if same.as_str() == text => Ok(same),
        _ => Err(Fault::NotCarried(element)),
    }
}

/// As [`canonical`]; absent is empty.
fn optional<const N: usize, const MAX: usize>(
    text: Option<&iso20022::Text<MAX>>,
    element: &'static str,
) -> Result<payments::Text<N>, Fault> {
    text.map_or(Ok(payments::Text::EMPTY), |text| canonical(text.as_str(), element))
}

#[cfg(test)]
mod tests;
