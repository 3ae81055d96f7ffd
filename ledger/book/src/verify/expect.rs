//! The rows that a command of an item must have written.

use payments::evidence::EMV_TAGS;
use payments::{Amount, BusinessDate, PaymentId, ResponseCode, Text};

use super::rows::{Row, Table, Value};
use crate::accounts::{AccountState, Side};
use crate::claim::{BodyHash, ClaimKey};
use crate::command::{
    CaptureKind, Clearing, Command, EvidenceRow, LaneEnd, LaneItem, LaneKind, Payment, PaymentKind, PaymentWrite, Standing,
};
use crate::store::EntryNumbers;

/// Where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) block: i64,
    pub(crate) idx: i32,
}

impl Row {
    pub(crate) fn from(self, at: Origin) -> Self {
        self.with("block", at.block).with("idx", at.idx)
    }
}

/// The facts of a command: rows that are written once. `entries` has the numbers of each line.
pub(crate) fn facts(at: Origin, command: &Command, entries: &[EntryNumbers]) -> Vec<Row> {
    let mut rows = Vec::new();
    let claims = command.claim.iter().map(|claim| (claim, false));
    for (claim, tombstone) in claims.chain(command.tombstone.iter().map(|claim| (claim, true))) {
        rows.push(self::claim(at, &claim.key, &claim.body, claim.payment, tombstone, claim.on));
    }
    for (place, (key, answer)) in command.answers.iter().enumerate() {
        // Of two for one claim the later stands.
        if command.answers.iter().skip(place.saturating_add(1)).all(|(later, _)| later != key) {
            let text = serde_json::to_string(answer).unwrap_or_default();
            rows.push(Row::of(Table::Answer).with("key", &key.0[..]).with("answer", text).from(at));
        }
    }
    if let Some(write) = &command.payment {
        let (PaymentWrite::Open { cause, standing, .. } | PaymentWrite::Change { cause, standing, .. }) = write;
        rows.push(
            Row::of(Table::Event)
                .with("payment", payment_of(write))
                .with("version", standing.version)
                .with("state", standing.state.code())
                .with("cause", cause.code())
                .with("at", command.at)
                .from(at),
        );
    }
    journals(at, command, entries, &mut rows);
    if let Some(item) = &command.capture {
        rows.push(
            Row::of(Table::Capture)
                .with("seq", item.seq)
                .with("payment", item.payment)
                .with("number", item.number)
                .with("date", item.date)
                .with("kind", capture_kind(item.kind))
                .with("clearing", clearing(item.clearing))
                .with("network", &item.network)
                .with("amount", item.amount.minor())
                .with("currency", item.amount.currency())
                .from(at),
        );
    }
    rows.extend(command.evidence.as_ref().map(|row| evidence(at, row)));
    if let Some(event) = &command.outbox {
        rows.push(
            Row::of(Table::Outbox)
                .with("number", event.seq)
                .with("topic", &event.topic)
                .with("payment", event.payment)
                .with("at", command.at)
                .from(at),
        );
    }
    rows
}

/// The row of a claim.
pub(crate) fn claim(
    at: Origin,
    key: &ClaimKey,
    body: &BodyHash,
    payment: Option<PaymentId>,
    tombstone: bool,
    on: BusinessDate,
) -> Row {
    Row::of(Table::Claim)
        .with("key", &key.0[..])
        .with("body", &body.0[..])
        .with("payment", payment)
        .with("tombstone", tombstone)
        .with("day", on)
        .from(at)
}

/// Tables of which the memory store keeps the latest rows only.
pub(crate) fn latest_only(table: Table) -> bool {
    matches!(table, Table::Answer | Table::Event | Table::Evidence)
}

/// The payment that a write is about.
pub(crate) fn payment_of(write: &PaymentWrite) -> PaymentId {
    match write {
        PaymentWrite::Open { facts, .. } => facts.id,
        PaymentWrite::Change { id, .. } => *id,
    }
}

fn journals(at: Origin, command: &Command, entries: &[EntryNumbers], rows: &mut Vec<Row>) {
    let mut entries = entries.iter();
    for journal in &command.journals {
        rows.push(
            Row::of(Table::Journal)
                .with("number", journal.number)
                .with("kind", journal.kind as i16)
                .with("date", journal.date)
                .with("payment", journal.payment)
                .with("at", command.at)
                .from(at),
        );
        for ((line, numbers), number) in journal.lines.iter().zip(entries.by_ref()).zip(1i64..) {
            let side = match line.side {
                Side::Debit => "D",
                Side::Credit => "C",
            };
            rows.push(
                Row::of(Table::Entry)
                    .with("journal", journal.number)
                    .with("line", number)
                    .with("account", numbers.account)
                    .with("version", numbers.version)
                    .with("side", side)
                    .with("amount", line.amount.minor())
                    .with("currency", line.amount.currency())
                    .with("balance_after", numbers.balance_after),
            );
        }
    }
}

fn evidence(at: Origin, row: &EvidenceRow) -> Row {
    let EvidenceRow { payment, request, answer } = row;
    let mut columns = Row::of(Table::Evidence)
        .with("payment", *payment)
        .with("merchant_category", some(&request.merchant_category))
        .with("entry_mode", some(&request.entry_mode))
        .with("condition", some(&request.condition))
        .with("pos_data", some(&request.pos_data))
        .with("eci", some(&request.eci))
        .with("card_sequence", request.card_sequence.map(|number| number.get()))
        .with("acceptor", some(&request.acceptor))
        .with("code", answer.code.as_str())
        .with("approval", answer.approval.as_ref().and_then(some))
        .with("approved", answer.amount.map(Amount::minor))
        .with("approved_currency", answer.amount.map(Amount::currency))
        .with("network_id", answer.network_id.as_ref().and_then(some))
        .with("settlement_date", some(&answer.settlement_date))
        .with("avs_result", some(&answer.avs_result))
        .with("cvv_result", some(&answer.cvv_result))
        .with("authentication_result", some(&answer.authentication_result))
        .with("response_icc", (!answer.icc.is_empty()).then_some(&answer.icc[..]))
        .from(at);
    for (column, tag) in EMV_COLUMNS.into_iter().zip(EMV_TAGS) {
        let value = request.emv.iter().find(|(name, _)| name.as_str() == tag).map(|(_, value)| value.as_str());
        columns = columns.with(column, value);
    }
    columns
}

/// The columns of [`EMV_TAGS`], in their order.
const EMV_COLUMNS: [&str; 20] = [
    "emv_9f26", "emv_9f27", "emv_9f10", "emv_9f37", "emv_9f36", "emv_95", "emv_9a", "emv_9c", "emv_9f02", "emv_5f2a", "emv_82",
    "emv_9f1a", "emv_9f03", "emv_9f33", "emv_9f34", "emv_9f35", "emv_9f1e", "emv_84", "emv_9f09", "emv_9f41",
];

/// The row of a payment that begins.
pub(crate) fn payment(at: Origin, facts: &Payment, standing: &Standing) -> Row {
    let mut row = Row::of(Table::Payment)
        .with("id", facts.id)
        .with("kind", payment_kind(facts.kind))
        .with("rrn", facts.rrn.as_str())
        .with("acquirer", &facts.acquirer)
        .with("terminal", facts.head.as_ref().map(|head| &head.terminal))
        .with("merchant", facts.head.as_ref().map(|head| &head.merchant))
        .with("link", &facts.link)
        .with("amount", facts.amount.minor())
        .with("currency", facts.amount.currency())
        .with("egress_block", Value::Null)
        .with("egress_idx", Value::Null)
        .from(at);
    stands(&mut row, standing);
    row
}

/// Moves the row of a payment on.
pub(crate) fn stands(row: &mut Row, standing: &Standing) {
    row.set("version", standing.version);
    row.set("state", standing.state.code());
    row.set("approved", standing.approved);
    row.set("captured", standing.captured);
    row.set("captures", standing.captures);
    row.set("capture_date", standing.capture_date);
    row.set("approval", standing.approval.as_ref());
    row.set("code", standing.code.as_ref().map(|code| code.as_str()));
    row.set("approved_late", standing.approved_late);
}

/// The row of an owed message.
pub(crate) fn lane(at: Origin, item: &LaneItem) -> Row {
    Row::of(Table::Lane)
        .with("payment", item.payment)
        .with("number", item.number)
        .with("link", &item.link)
        .with("kind", lane_kind(item.kind))
        .with("not_before", item.not_before)
        .with("ended", Value::Null)
        .with("ended_code", Value::Null)
        .with("ended_block", Value::Null)
        .with("ended_idx", Value::Null)
        .from(at)
}

/// Ends the row of an owed message.
pub(crate) fn lane_ended(row: &mut Row, at: Origin, end: LaneEnd, code: Option<&ResponseCode>) {
    let word = match end {
        LaneEnd::Acknowledged => "acknowledged",
        LaneEnd::Dead => "dead",
    };
    row.set("ended", word);
    row.set("ended_code", code.map(|code| code.as_str()));
    row.set("ended_block", at.block);
    row.set("ended_idx", at.idx);
}

/// Ends the row of a hold.
pub(crate) fn hold_released(row: &mut Row, at: Origin) {
    row.set("released", true);
    row.set("released_block", at.block);
    row.set("released_idx", at.idx);
}

/// The row of an account.
pub(crate) fn account(account: &AccountState) -> Row {
    Row::of(Table::Account)
        .with("id", account.id)
        .with("code", &account.code)
        .with("currency", account.currency)
        .with("floor_minor", account.floor_minor)
        .with("posted_debit", account.balances.posted_debit)
        .with("posted_credit", account.balances.posted_credit)
        .with("pending_debit", account.balances.pending_debit)
        .with("version", account.version)
}

/// The row of a business day that was opened.
pub(crate) fn day(at: Origin, day: BusinessDate) -> Row {
    Row::of(Table::BusinessDay)
        .with("day", day)
        .with("opened_block", at.block)
        .with("opened_idx", at.idx)
        .with("closed_block", Value::Null)
        .with("closed_idx", Value::Null)
}

/// The row of a hold on account number `account`.
pub(crate) fn hold(at: Origin, payment: PaymentId, account: i64, amount: Amount) -> Row {
    Row::of(Table::Hold)
        .with("payment", payment)
        .with("account", account)
        .with("amount", amount.minor())
        .with("currency", amount.currency())
        .with("released", false)
        .with("released_block", Value::Null)
        .with("released_idx", Value::Null)
        .from(at)
}

fn some<const N: usize>(text: &Text<N>) -> Option<&Text<N>> {
    (!text.is_empty()).then_some(text)
}

fn payment_kind(kind: PaymentKind) -> &'static str {
    match kind {
        PaymentKind::Purchase => "purchase",
        PaymentKind::Authorization => "authorization",
        PaymentKind::Refund => "refund",
        PaymentKind::Transfer => "transfer",
    }
}

fn capture_kind(kind: CaptureKind) -> &'static str {
    match kind {
        CaptureKind::Sale => "sale",
        CaptureKind::Refund => "refund",
        CaptureKind::Void => "void",
        CaptureKind::Credit => "credit",
    }
}

fn clearing(clearing: Clearing) -> &'static str {
    match clearing {
        Clearing::Presentment => "presentment",
        Clearing::Online => "online",
    }
}

fn lane_kind(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Reversal => "reversal",
        LaneKind::Advice => "advice",
        LaneKind::Enquiry => "enquiry",
    }
}
