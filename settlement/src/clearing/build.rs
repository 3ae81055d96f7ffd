//! Builds the bytes of a file out of a frozen set.

use std::io::{self, Write};

use files::charset::string_to_latin1;
use files::ipm::{
    Acceptor, CardNumber, FileId, Function, Presentment, Reason, Record, RecordFault, Totals, Writer, chip_data, de,
};
use payments::{CardRef, CardSequence, Expiry, Pan, PaymentId, Text};
use sha2::{Digest, Sha256};

use super::country::alpha3;
use super::endpoint::Endpoint;
use super::error::Error;
use super::freeze::{Frozen, Item, Movement, digits};
use super::local_time::local_time;
use super::manifest::Manifest;
use super::pos_data::pos_data;

/// PDS0052, electronic commerce security level.
const ECOMMERCE: u16 = files::ipm::tag::ECOMMERCE;
/// What stands in DE43 where nothing is known: readers want some character there.
const UNKNOWN: &str = "-";

/// A card opened for its clearing record.
#[derive(Debug, Clone)]
pub struct ClearCard {
    /// The account number.
    pub pan: Pan,
    /// The expiry date.
    pub expiry: Option<Expiry>,
    /// The card sequence number.
    pub sequence: Option<CardSequence>,
}

/// Why a card was not opened, in the vault's words and without card data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotUnseal {
    /// This card is not what the vault sealed: the item can never be presented.
    #[error("{0}")]
    Card(String),
    /// The vault opens no card now: nothing is said about this one.
    #[error("the vault: {0}")]
    Vault(String),
}

/// What opening a card gives.
pub type Unsealed = Result<ClearCard, CannotUnseal>;

/// Opens sealed cards: the vault, with the reason "clearing record" logged there.
pub trait Unseal {
    /// Opens the card of a payment.
    fn unseal(&mut self, payment: PaymentId, card: &CardRef) -> Unsealed;
}

impl<F: FnMut(PaymentId, &CardRef) -> Unsealed> Unseal for F {
    fn unseal(&mut self, payment: PaymentId, card: &CardRef) -> Unsealed {
        self(payment, card)
    }
}

/// Writes the file and says what it is. The same frozen set and settings give the same bytes.
pub fn build<W: Write>(endpoint: &Endpoint, frozen: &Frozen, cards: &mut dyn Unseal, sink: W) -> Result<(W, Manifest), Error> {
    let hashing = Hashing { sink, digest: Sha256::new(), bytes: 0 };
    let (hashing, totals) = write(endpoint, frozen.id, &frozen.items, cards, hashing)?;
    let sha256 = hex::encode(hashing.digest.finalize());
    let manifest = Manifest::of(endpoint, frozen, &totals, hashing.bytes, sha256)?;
    Ok((hashing.sink, manifest))
}

/// Writes a file of these items.
pub(super) fn write<W: Write>(
    endpoint: &Endpoint,
    id: FileId,
    items: &[Item],
    cards: &mut dyn Unseal,
    sink: W,
) -> Result<(W, Totals), Error> {
    let mut writer = Writer::new(sink, endpoint.format());
    writer.begin(id, endpoint.file_mode()).map_err(Error::Frame)?;
    let mut record = Record::new(b"1240");
    for item in items {
        let payment = item.capture.item.payment;
        let card = cards.unseal(payment, &item.capture.facts.card).map_err(|why| Error::Unseal { payment, why })?;
        let fact = |fault: RecordFault| Error::Fact { payment, field: fault.field.unwrap_or(0), reason: fault.reason };
        presentment(endpoint, item, &card)?.write(&mut record).map_err(fact)?;
        writer.write(&mut record).map_err(|fault| Error::Record { payment, fault })?;
    }
    // The last record held an account number.
    record.reset(b"1240");
    let totals = writer.end().map_err(Error::Frame)?;
    Ok((writer.finish().map_err(Error::Frame)?, totals))
}

fn presentment(endpoint: &Endpoint, item: &Item, card: &ClearCard) -> Result<Presentment, Error> {
    let (payment, facts) = (item.capture.item.payment, &item.capture.facts);
    let fact = |field| move |reason| Error::Fact { payment, field, reason };
    let refund = matches!(item.movement, Movement::Refund | Movement::RefundReversal);
    let processing_code = digits::<6>(facts.processing_code.as_str());
    // The direction must follow from DE3, or the file would move money the wrong way.
    if refund != matches!(facts.processing_code.transaction_type(), "20" | "28") {
        return Err(fact(de::PROCESSING_CODE)(Reason::Range));
    }
    let category = facts.evidence.merchant_category.as_str();
    if !category.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fact(de::MERCHANT_CATEGORY)(Reason::NotDigit));
    }
    Ok(Presentment {
        function: Function::First,
        pan: CardNumber::new(card.pan.reveal()).map_err(fact(de::PAN))?,
        processing_code,
        amount_minor: item.amount.minor(),
        currency: item.amount.currency().numeric(),
        exponent: Some(item.amount.currency().exponent()),
        local_time: local_time(facts, item.capture.item.date).0,
        expiry: card.expiry.as_ref().map(|expiry| *expiry.reveal()),
        pos_data: pos_data(facts.evidence.entry_mode.as_str(), online_pin(item)),
        card_sequence: card.sequence.or(facts.evidence.card_sequence).map(CardSequence::get),
        merchant_category: digits(category),
        ard: item.ard,
        acquirer: None,
        forwarder: given(&endpoint.forwarder),
        rrn: Some(facts.rrn.as_str().to_owned()),
        approval: facts.approval.as_ref().and_then(given),
        service_code: None,
        terminal: given(&facts.terminal),
        merchant: given(&facts.merchant),
        acceptor: Some(acceptor(facts.evidence.acceptor.as_str(), endpoint.country.as_str())),
        chip: chip(item).map_err(fact(de::CHIP))?,
        life_cycle: facts.network_id.as_ref().and_then(given),
        originator: given(&endpoint.originator),
        reversal: matches!(item.movement, Movement::SaleReversal | Movement::RefundReversal),
        private: private(endpoint, facts.evidence.eci.as_str()),
    })
}

fn given<const N: usize>(text: &Text<N>) -> Option<String> {
    (!text.is_empty()).then(|| text.as_str().to_owned())
}

/// DE43 as ISO 8583:1987 lays it out (name 23, city 13, state 2, country 2) into its clearing form.
fn acceptor(text: &str, country: &str) -> Acceptor {
    let part = |from, to| text.get(from..text.len().min(to)).unwrap_or_default().trim();
    let known = |part: &str| if part.is_empty() { UNKNOWN.to_owned() } else { part.to_owned() };
    Acceptor {
        name: known(part(0, 23)),
        address: UNKNOWN.to_owned(),
        city: known(part(23, 36)),
        post_code: String::new(),
        region: part(36, 38).to_owned(),
        country: alpha3(part(38, 40)).unwrap_or(country).to_owned(),
    }
}

/// Whether the issuer verified a PIN: CVM results (9F34) say "enciphered PIN verified online".
fn online_pin(item: &Item) -> bool {
    let results = item.capture.facts.evidence.emv.iter().find(|(tag, _)| tag.as_str() == "9F34");
    let method = results.and_then(|(_, value)| u8::from_str_radix(value.get(..2)?, 16).ok());
    method.is_some_and(|method| method & 0x3F == 2)
}

fn chip(item: &Item) -> Result<Vec<u8>, Reason> {
    let objects: Result<Vec<(Vec<u8>, Vec<u8>)>, _> = item
        .capture
        .facts
        .evidence
        .emv
        .iter()
        .map(|(tag, value)| Ok((hex::decode(tag.as_str())?, hex::decode(value)?)))
        .collect();
    let objects = objects.map_err(|_: hex::FromHexError| Reason::ChipData)?;
    chip_data(objects.iter().map(|(tag, value)| (tag.as_slice(), value.as_slice())))
}

fn private(endpoint: &Endpoint, eci: &str) -> Vec<(u16, String)> {
    let set = endpoint.private.iter().filter_map(|(tag, value)| Some((tag.as_str().parse().ok()?, value.as_str().to_owned())));
    // Security level: protocol 2, authentication 1, and the indicator's last digit.
    let level = eci.bytes().next_back().filter(u8::is_ascii_digit).map(|digit| (ECOMMERCE, format!("21{}", char::from(digit))));
    let mut all: Vec<(u16, String)> = set.chain(level).collect();
    all.sort();
    all.dedup_by_key(|(tag, _)| *tag);
    all.retain(|(_, value)| string_to_latin1(value).len() <= files::ipm::MAX_PDS_VALUE);
    all
}

/// Counts and hashes what passes.
struct Hashing<W> {
    sink: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.sink.write(bytes)?;
        let taken = bytes.get(..written).unwrap_or(bytes);
        self.digest.update(taken);
        self.bytes = self.bytes.saturating_add(u64::try_from(taken.len()).unwrap_or(0));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_place_become_the_parts_of_the_clearing_field() {
        let found = acceptor("CORNER COFFEE          BERLIN       BEDE", "FRA");
        assert_eq!((found.name.as_str(), found.city.as_str(), found.region.as_str()), ("CORNER COFFEE", "BERLIN", "BE"));
        assert_eq!(found.country, "DEU");
        let bare = acceptor("", "FRA");
        assert_eq!((bare.name.as_str(), bare.city.as_str(), bare.country.as_str()), ("-", "-", "FRA"));
    }
}
