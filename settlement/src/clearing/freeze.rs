//! Freezing: which items a file has, in which order, under which references.

use std::collections::BTreeMap;

use files::ipm::{Ard, FileId};
use ledger::{CaptureKind, Clearing};
use payments::{Amount, BusinessDate, Currency, PaymentId, Wall};

use super::capture::Captured;
use super::endpoint::Endpoint;
use super::error::Error;
use super::local_time::local_time;
use super::set_aside::SetAside;

/// Numbers of captures that one day's references can tell apart in a shard.
const REFERENCE_NUMBERS: i64 = 100_000_000;
/// Shards that the references can tell apart.
const REFERENCE_SHARDS: u16 = 1_000;

/// Which file. The sequence is allocated where the freeze is committed, gapless per endpoint and date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKey {
    /// The business date whose captures it presents.
    pub date: BusinessDate,
    /// 1 for the first file of the date.
    pub sequence: u32,
    /// When it was frozen. It stands in for every time in the file and its manifest.
    pub frozen_at: Wall,
}

/// What an item does to the cardholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// The cardholder pays.
    Sale,
    /// The cardholder is paid.
    Refund,
    /// A sale of an earlier file is taken back.
    SaleReversal,
    /// A refund of an earlier file is taken back.
    RefundReversal,
}

impl Movement {
    /// 1 where the cardholder pays, -1 where they are paid.
    pub fn sign(self) -> i128 {
        match self {
            Self::Sale | Self::RefundReversal => 1,
            Self::Refund | Self::SaleReversal => -1,
        }
    }
}

/// Something about a presentment that a reader should know. The words are stored and shown: never rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The terminal's date cannot be (29 February of another year): DE12 is the time of acceptance, in UTC.
    LocalTimeOfAcceptance,
}

/// One presentment to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The capture.
    pub capture: Captured,
    /// What it does.
    pub movement: Movement,
    /// What is presented: the capture less what was voided of it before the freeze.
    pub amount: Amount,
    /// Its reference: of a reversal, that of the presentment taken back.
    pub ard: Ard,
    /// What a reader of its record should know.
    pub note: Option<Note>,
}

/// The frozen set of a file, ordered by shard and capture number.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// Which file.
    pub key: FileKey,
    /// Its id.
    pub id: FileId,
    /// Its presentments.
    pub items: Vec<Item>,
    /// Captures of its date that cannot be presented. With the presentments they are what the ledger captured.
    pub set_aside: Vec<SetAside>,
}

/// Freezes the captures of one closed business date. `captures` are all items of the endpoint's network
/// and that date that clear by presentment, voids among them, in any order.
pub fn freeze(endpoint: &Endpoint, key: FileKey, mut captures: Vec<Captured>) -> Result<Frozen, Error> {
    captures.sort_by_key(|capture| (capture.shard, capture.item.seq));
    let mut items: Vec<Item> = Vec::with_capacity(captures.len());
    let mut set_aside = Vec::new();
    let mut of_payment: BTreeMap<PaymentId, Vec<usize>> = BTreeMap::new();
    let mut last = None;
    for capture in captures {
        let payment = capture.item.payment;
        let item = &capture.item;
        if item.network != endpoint.network || item.clearing != Clearing::Presentment || item.date != key.date {
            return Err(Error::Foreign(payment));
        }
        if last.replace((capture.shard, item.seq)) == Some((capture.shard, item.seq)) {
            return Err(Error::Twice(payment));
        }
        let movement = match (item.kind, &capture.takes_back) {
            (CaptureKind::Sale, _) => Movement::Sale,
            (CaptureKind::Refund, _) => Movement::Refund,
            (CaptureKind::Credit, Some(presented)) if presented.kind == CaptureKind::Refund => Movement::RefundReversal,
            (CaptureKind::Credit, Some(_)) => Movement::SaleReversal,
            (CaptureKind::Credit, None) => {
                // What it takes back was set aside itself, or its presentment is not known.
                set_aside.push(SetAside::credit_without_presentment(&capture));
                continue;
            }
            (CaptureKind::Void, _) => {
                void(&mut items, of_payment.get(&payment).map_or(&[], Vec::as_slice), payment, item.amount)?;
                continue;
            }
        };
        let ard = match &capture.takes_back {
            Some(presented) if item.kind == CaptureKind::Credit => presented.ard,
            _ => reference(endpoint, &capture)?,
        };
        of_payment.entry(payment).or_default().push(items.len());
        let note = local_time(&capture.facts, key.date).1;
        items.push(Item { movement, amount: item.amount, ard, note, capture });
    }
    items.retain(|item| !item.amount.is_zero());
    let (year, month, day) = key.date.parts();
    let date = digits::<6>(&format!("{:02}{month:02}{day:02}", year.rem_euclid(100)));
    let kind = digits::<3>(endpoint.file_type.as_str());
    let frame = |reason| {
        let fault =
            files::ipm::Fault { record: 1, field: Some(48), pds: Some(105), offset: 0, reason, level: files::ipm::Level::File };
        Error::Frame(fault)
    };
    let id = FileId::build(&kind, &date, endpoint.processor.as_str(), key.sequence).map_err(frame)?;
    Ok(Frozen { key, id, items, set_aside })
}

/// Takes a voided amount out of the payment's items, the latest first.
fn void(items: &mut [Item], of_payment: &[usize], payment: PaymentId, amount: Amount) -> Result<(), Error> {
    let mut left = amount;
    for index in of_payment.iter().rev() {
        let Some(item) = items.get_mut(*index) else { continue };
        if item.amount.currency() != left.currency() {
            continue;
        }
        let taken = item.amount.minor().min(left.minor());
        let taken = Amount::new(taken, left.currency()).map_err(|_| Error::Overflow)?;
        item.amount = item.amount.checked_sub(taken).map_err(|_| Error::Overflow)?;
        left = left.checked_sub(taken).map_err(|_| Error::Overflow)?;
    }
    if left.is_zero() { Ok(()) } else { Err(Error::VoidWithoutItem(payment)) }
}

/// The acquirer reference of a capture: a function of its date, shard and number, so that it is the same
/// whenever the item is presented.
fn reference(endpoint: &Endpoint, capture: &Captured) -> Result<Ard, Error> {
    let payment = capture.item.payment;
    let number = u64::try_from(capture.item.seq.rem_euclid(REFERENCE_NUMBERS)).map_err(|_| Error::Reference(payment))?;
    if capture.shard.0 >= REFERENCE_SHARDS || capture.item.seq < 0 {
        return Err(Error::Reference(payment));
    }
    let shards = u64::from(capture.shard.0) * u64::try_from(REFERENCE_NUMBERS).unwrap_or(0);
    let (date, bin) = (capture.item.date, digits::<6>(endpoint.reference_bin.as_str()));
    // 7 is the usage digit that public sample files have.
    Ard::build(7, &bin, date.parts().0, date.day_of_year(), shards + number).map_err(|_| Error::Reference(payment))
}

/// What the cardholders pay, net, by currency: sales less refunds, less what is taken back.
pub fn net_by_currency(items: impl IntoIterator<Item = (Movement, Amount)>) -> BTreeMap<Currency, i128> {
    items.into_iter().fold(BTreeMap::new(), |mut net, (movement, amount)| {
        *net.entry(amount.currency()).or_default() += movement.sign() * i128::from(amount.minor());
        net
    })
}

/// Digits that a validated setting or a date has; too few are filled with zeros on the left.
pub(crate) fn digits<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [b'0'; N];
    out.iter_mut().rev().zip(text.bytes().rev()).for_each(|(room, digit)| *room = digit);
    out
}
