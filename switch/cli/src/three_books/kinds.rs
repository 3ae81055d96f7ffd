//! Per kind of payment: how many of it terminals, issuers and the record have at the end, and for how
//! much. Each book is counted by its own words as far as it has them.
//!
//! What a book cannot know is asked of another one by DE37: an issuer does not know whether an
//! authorization on a dual-message network was a purchase, nor whether a reversal was its terminal's wish
//! or followed from an unknown outcome; a terminal does not know whose word a decline is, nor whether a
//! presentment was frozen. How unknown outcomes end is judged item by item ([`super::truth`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use simulators::issuer::line::{Kind as AtIssuer, Standing as ItemStanding};
use simulators::pos::record::Standing;
use store::reports::History;

use super::Sum;
use super::issuer::{IssuerBook, Item};
use super::record::Payments;
use super::terminals::{Seen, TerminalsBook};
use super::truth::is_credited;

/// A kind of payment with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A sale that stands.
    Purchase,
    /// An authorization that is open.
    Authorization,
    /// An authorization that was completed. On a dual-message network its amounts are those authorized:
    /// what was taken in the end reaches the network in the clearing file.
    Completion,
    /// A refund that stands.
    Refund,
    /// Approved, and reversed by its terminal. Amounts as asked for.
    Reversal,
    /// The same after the presentment was frozen: the issuer keeps it, the next file credits it.
    Credit,
    /// Declined by the issuer. Amounts as asked for.
    Decline,
    /// A balance that was told; the record has nothing of it.
    Balance,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::Purchase,
        Kind::Authorization,
        Kind::Completion,
        Kind::Refund,
        Kind::Reversal,
        Kind::Credit,
        Kind::Decline,
        Kind::Balance,
    ];

    /// Its name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Authorization => "authorization, open",
            Self::Completion => "completion",
            Self::Refund => "refund",
            Self::Reversal => "reversal by terminal",
            Self::Credit => "reversal after freeze",
            Self::Decline => "decline by issuer",
            Self::Balance => "balance",
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Which kind.
    pub kind: Kind,
    /// Which network.
    pub network: String,
    /// ISO 4217, numeric.
    pub currency: u16,
    /// What the terminals have.
    pub terminals: Sum,
    /// What the network's issuer has.
    pub issuer: Sum,
    /// What the record has.
    pub record: Sum,
}

impl Row {
    /// Whether the three books agree on something: a row without items proves nothing.
    pub fn agrees(&self) -> bool {
        let record = if self.kind == Kind::Balance { self.record == Sum::default() } else { self.record == self.terminals };
        self.terminals.count > 0 && self.terminals == self.issuer && record
    }
}

type Key = (Kind, String, u16);

/// Counts every kind on every network in every currency that is in any of the books.
pub fn count(terminals: &[TerminalsBook], issuers: &BTreeMap<String, IssuerBook>, record: &Payments) -> Vec<Row> {
    let credited: BTreeSet<&str> = record.all().filter(|payment| is_credited(payment)).map(|p| p.rrn.as_str()).collect();
    let presented: BTreeSet<&str> = record
        .all()
        .flat_map(|payment| &payment.captures)
        .filter(|capture| capture.clearing == "presentment")
        .map(|capture| capture.network.as_str())
        .collect();
    let mut rows: BTreeMap<Key, [Sum; 3]> = BTreeMap::new();
    let mut add = |book: usize, key: Key, minor: i64| {
        if let Some(sum) = rows.entry(key).or_default().get_mut(book) {
            sum.add(minor);
        }
    };
    let mut asked: BTreeMap<&str, Kind> = BTreeMap::new();
    for seen in terminals.iter().flat_map(|book| &book.transactions) {
        let items = issuers.get(&seen.network).map(|book| book.of_rrn(&seen.rrn)).unwrap_or_default();
        let (Some(kind), Some(currency)) = (at_terminal(seen, items, &credited), seen.currency) else { continue };
        asked.insert(&seen.rrn, kind);
        let authorized = kind == Kind::Completion && presented.contains(seen.network.as_str());
        let minor = match kind {
            Kind::Reversal | Kind::Credit | Kind::Decline => seen.asked,
            Kind::Balance => 0,
            _ if authorized => seen.approved.unwrap_or_default(),
            _ => seen.stands,
        };
        add(0, (kind, seen.network.clone(), currency), minor);
    }
    for (network, book) in issuers {
        for item in book.all() {
            let Some(kind) = at_issuer(item, asked.get(item.rrn.as_str()).copied()) else { continue };
            let minor = match kind {
                Kind::Reversal | Kind::Credit | Kind::Decline => item.asked,
                _ => item.stands,
            };
            add(1, (kind, network.clone(), item.currency), minor);
        }
        for enquiry in book.enquiries.iter().filter(|enquiry| enquiry.code == "00") {
            add(1, (Kind::Balance, network.clone(), enquiry.currency), 0);
        }
    }
    for payment in record.all() {
        let Some(network) = payment.egress_link.clone() else { continue };
        let kind = match asked.get(payment.rrn.as_str()) {
            Some(Kind::Balance) => Some(Kind::Balance),
            _ => in_record(payment),
        };
        let Some(kind) = kind else { continue };
        let minor = match kind {
            Kind::Reversal | Kind::Credit | Kind::Decline => payment.amount,
            Kind::Authorization => payment.approved,
            Kind::Completion if presented.contains(network.as_str()) => payment.approved,
            _ => payment.captured,
        };
        add(2, (kind, network, payment.currency.numeric()), minor);
    }
    let row = |(key, sums): (Key, [Sum; 3])| {
        let ((kind, network, currency), [terminals, issuer, record]) = (key, sums);
        Row { kind, network, currency, terminals, issuer, record }
    };
    rows.into_iter().map(row).collect()
}

/// What a transaction was for its terminal.
fn at_terminal(seen: &Seen, items: &[Item], credited: &BTreeSet<&str>) -> Option<Kind> {
    match (seen.kind.as_str(), seen.standing?) {
        ("balance", Standing::Approved) => Some(Kind::Balance),
        ("balance", _) => None,
        (_, Standing::Completed) => Some(Kind::Completion),
        ("purchase", Standing::Approved) => Some(Kind::Purchase),
        ("authorization", Standing::Approved) => Some(Kind::Authorization),
        ("refund", Standing::Approved) => Some(Kind::Refund),
        (_, Standing::Reversed) => {
            seen.approved?;
            Some(if credited.contains(seen.rrn.as_str()) { Kind::Credit } else { Kind::Reversal })
        }
        (_, Standing::Declined) => {
            let by_issuer = |item: &Item| item.standing == ItemStanding::Declined && item.code == seen.code;
            items.iter().any(by_issuer).then_some(Kind::Decline)
        }
        _ => None,
    }
}

/// What an item is for its issuer; `asked` is what its terminal calls it.
fn at_issuer(item: &Item, asked: Option<Kind>) -> Option<Kind> {
    match (item.standing, item.kind) {
        (ItemStanding::Declined, _) => asked.filter(|kind| *kind == Kind::Decline),
        (ItemStanding::Reversed, _) => asked.filter(|kind| *kind == Kind::Reversal),
        (ItemStanding::Open, AtIssuer::Completion) => Some(Kind::Completion),
        (ItemStanding::Open, AtIssuer::Refund) => Some(if asked == Some(Kind::Credit) { Kind::Credit } else { Kind::Refund }),
        (ItemStanding::Open, AtIssuer::Purchase) => Some(Kind::Purchase),
        // Dual message: a purchase, or an authorization, completed or not.
        (ItemStanding::Open, AtIssuer::Authorization) => {
            let is = [Kind::Purchase, Kind::Completion, Kind::Credit];
            Some(asked.filter(|kind| is.contains(kind)).unwrap_or(Kind::Authorization))
        }
        _ => None,
    }
}

/// What a payment is in the record.
fn in_record(payment: &History) -> Option<Kind> {
    let by = |cause: &str| payment.events.iter().any(|event| event.cause == cause);
    match (payment.kind.as_str(), payment.state.as_str()) {
        ("purchase", "captured") => Some(Kind::Purchase),
        ("authorization", "approved") => Some(Kind::Authorization),
        ("authorization", "captured") => Some(Kind::Completion),
        ("refund", "captured") => Some(Kind::Refund),
        (_, "reversed") if is_credited(payment) => Some(Kind::Credit),
        // A reversal of what was in flight takes back something that no terminal saw approved.
        (_, "reversed") if by("acquirer-reversal") && (by("approval") || by("capture")) => Some(Kind::Reversal),
        (_, "declined") if by("decline") => Some(Kind::Decline),
        _ => None,
    }
}
