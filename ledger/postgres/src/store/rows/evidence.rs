//! The columns of evidence.

use ledger::command::EvidenceRow;
use payments::evidence::EMV_TAGS;
use payments::{Amount, Text};
use uuid::Uuid;

use super::Unfit;
use super::words::currency;
use crate::sql::Param;

/// Evidence: most columns are texts that are null where nothing came.
pub(super) struct EvidenceColumns<'a> {
    payment: Vec<Uuid>,
    idx: Vec<i32>,
    card_sequence: Vec<Option<i16>>,
    approved: Vec<Option<i64>>,
    approved_currency: Vec<Option<i16>>,
    response_icc: Vec<Option<&'a [u8]>>,
    texts: [Vec<Option<&'a str>>; EvidenceColumns::TEXTS],
}

impl Default for EvidenceColumns<'_> {
    fn default() -> Self {
        Self {
            payment: Vec::new(),
            idx: Vec::new(),
            card_sequence: Vec::new(),
            approved: Vec::new(),
            approved_currency: Vec::new(),
            response_icc: Vec::new(),
            texts: std::array::from_fn(|_| Vec::new()),
        }
    }
}

impl EvidenceColumns<'_> {
    /// Six of the request, the tags, seven of the answer.
    const TEXTS: usize = 6 + EMV_TAGS.len() + 7;
}

impl<'a> EvidenceColumns<'a> {
    pub(super) fn push(&mut self, row: &'a EvidenceRow, idx: i32) -> Result<(), Unfit> {
        let EvidenceRow { payment, request, answer } = row;
        self.payment.push(payment.0);
        self.idx.push(idx);
        // At most 999.
        self.card_sequence.push(request.card_sequence.and_then(|number| i16::try_from(number.get()).ok()));
        self.approved.push(answer.amount.map(Amount::minor));
        self.approved_currency.push(answer.amount.map(|amount| currency(amount.currency())).transpose()?);
        self.response_icc.push((!answer.icc.is_empty()).then_some(&answer.icc[..]));
        let tag = |wanted: &str| request.emv.iter().find(|(tag, _)| tag.as_str() == wanted).map(|(_, value)| value.as_str());
        let texts = [
            some(&request.merchant_category),
            some(&request.entry_mode),
            some(&request.condition),
            some(&request.pos_data),
            some(&request.eci),
            some(&request.acceptor),
        ]
        .into_iter()
        .chain(EMV_TAGS.into_iter().map(tag))
        .chain([
            Some(answer.code.as_str()),
            answer.approval.as_ref().and_then(some),
            answer.network_id.as_ref().and_then(some),
            some(&answer.settlement_date),
            some(&answer.avs_result),
            some(&answer.cvv_result),
            some(&answer.authentication_result),
        ]);
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
        Ok(())
    }

    pub(super) fn params(self, shard: i16, block: i64) -> Option<Vec<Param<'a>>> {
        if self.payment.is_empty() {
            return None;
        }
        let mut params: Vec<Param<'a>> = vec![
            Box::new(shard),
            Box::new(block),
            Box::new(self.payment),
            Box::new(self.idx),
            Box::new(self.card_sequence),
            Box::new(self.approved),
            Box::new(self.approved_currency),
            Box::new(self.response_icc),
        ];
        params.extend(self.texts.into_iter().map(|column| Box::new(column) as Param<'a>));
        Some(params)
    }
}

/// The text, unless it is empty.
fn some<const N: usize>(text: &Text<N>) -> Option<&str> {
    if text.is_empty() { None } else { Some(text.as_str()) }
}
