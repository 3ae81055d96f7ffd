//! What a request leads to: the line that will stand in the book. Repeats and conflicts first, then
//! the decision by kind.

use payments::{ResponseCode, Text, Wall};

use super::Issuer;
use crate::issuer::book::Key;
use crate::issuer::counts::one_more;
use crate::issuer::decide::{self, PinCheck};
use crate::issuer::line::{Kind, Line, Note, Record, Standing};
use crate::issuer::request::Request;
use crate::issuer::rules::{Act, Rule};

impl Issuer {
    /// Works out the line that a request leads to. Does not change the book.
    pub(super) fn settle(&mut self, now: Wall, request: &Request, rule: Option<&Rule>) -> Line {
        let mut line = self.blank(now, request);
        // A reversal whose original was not found is looked at again: its original may have come since.
        let found = self.book.answered(&request.key).filter(|answered| {
            request.kind != Kind::Balance
                && !(answered.line.kind == Kind::Reversal && answered.line.de39 == ResponseCode::NOT_FOUND)
        });
        if let Some(answered) = found {
            let first = &answered.line;
            let same = first.amount == request.amount
                && first.currency == request.currency
                && first.kind == request.kind
                && (request.pan.is_none() || line.card == first.card);
            line.record = Record::Note;
            line.item = first.item.or(Some(first.n));
            if same {
                line.note = Some(Note::Repeat);
                (line.de39, line.de38, line.de44, line.network_id) = (first.de39, first.de38, first.de44, first.network_id);
                (line.settlement_date, line.state) = (first.settlement_date, first.state);
                (line.approved, line.stands, line.rrn) = (first.approved, first.stands, first.rrn);
            } else {
                line.note = Some(Note::Conflict);
                line.de39 = ResponseCode::CONFLICT;
            }
            return line;
        }
        let refusal = match () {
            () if self.book.answered_count() >= self.options.max_requests => Some((ResponseCode::MALFUNCTION, None)),
            () if self.options.sign_on_required && !self.signed_on => Some((ResponseCode::UNAVAILABLE, None)),
            () if self.book.has_tombstone(&request.key) => Some((ResponseCode::NO_ACTION, Some(Note::Tombstone))),
            () => None,
        };
        if let Some((code, note)) = refusal {
            line.record = Record::Note;
            line.note = note;
            line.de39 = code;
            one_more(&mut self.counts.declined, code.as_str());
            return line;
        }
        match request.kind {
            Kind::Reversal => self.reverse(request, &mut line),
            Kind::Completion => self.complete(now, request, &mut line),
            _ => self.authorize(now, request, rule, &mut line),
        }
        line
    }

    fn authorize(&mut self, now: Wall, request: &Request, rule: Option<&Rule>, line: &mut Line) {
        let mut decision = decide::decide(request, &self.cards, &self.book, &self.zpk, &self.pvk, self.options.limit_minor, now);
        match decision.pin {
            PinCheck::Absent => {}
            PinCheck::Right => self.counts.pins_verified += 1,
            PinCheck::Wrong => self.counts.pins_wrong += 1,
            PinCheck::Undecodable => self.counts.pin_blocks_undecodable += 1,
        }
        line.approved = request.amount;
        match rule {
            Some(Rule { act: Act::Decline, code, .. }) => decision.code = code.unwrap_or(ResponseCode::DO_NOT_HONOUR),
            Some(Rule { act: Act::Partial, .. }) if decision.code == ResponseCode::APPROVED && request.amount > 1 => {
                decision.code = ResponseCode::PARTIAL;
                line.approved = request.amount / 2;
            }
            _ => {}
        }
        line.de39 = decision.code;
        line.de44 = decide::results(request);
        if request.kind == Kind::Balance {
            // Answered from the book; all that it leaves there is that it was asked for.
            (line.record, line.note, line.state) = (Record::Note, Some(Note::Enquiry), Standing::Unknown);
        } else {
            line.network_id = self.network_id(line.n, now);
        }
        if decision.code.outcome() == payments::Outcome::Declined {
            line.approved = 0;
            one_more(&mut self.counts.declined, decision.code.as_str());
            return;
        }
        one_more(&mut self.counts.approved, request.kind.as_str());
        line.de38 = Text::new(&format!("{:06}", (line.n * 7919 + 100_003) % 1_000_000)).unwrap_or_default();
        if request.kind == Kind::Balance {
            return;
        }
        line.record = Record::Effect;
        line.state = Standing::Open;
        line.stands = line.approved;
        line.item = Some(line.n);
    }

    /// 0220: an advice is never refused. It completes the authorization of its RRN, once.
    fn complete(&mut self, now: Wall, request: &Request, line: &mut Line) {
        let found = self.book.authorization(request.rrn, request.key.terminal).cloned();
        let fits = |approval: Text<6>| request.approval.is_empty() || request.approval == approval;
        line.de39 = ResponseCode::APPROVED;
        line.approved = request.amount;
        line.stands = request.amount;
        line.state = Standing::Open;
        one_more(&mut self.counts.approved, Kind::Completion.as_str());
        match found {
            Some(item) if item.kind == Kind::Completion && item.stands > 0 && fits(item.approval) => {
                line.note = Some(Note::AlreadyCompleted);
                (line.item, line.network_id, line.de38) = (Some(item.n), item.network_id, item.approval);
                (line.approved, line.stands) = (item.approved, item.stands);
            }
            Some(item) if item.kind == Kind::Authorization && item.stands > 0 && fits(item.approval) => {
                line.record = Record::Effect;
                (line.item, line.network_id, line.de38, line.card) = (Some(item.n), item.network_id, item.approval, item.card);
                line.note = (request.amount > item.stands).then_some(Note::AboveAuthorized);
            }
            _ => {
                line.record = Record::Effect;
                line.note = Some(Note::UnmatchedCompletion);
                line.network_id = self.network_id(line.n, now);
                line.de38 = request.approval;
            }
        }
    }

    /// 0400 and 0420: takes back what stands, once.
    fn reverse(&mut self, request: &Request, line: &mut Line) {
        line.state = Standing::Unknown;
        let Some(named) = request.original else { return };
        line.original = Text::new(&format!("{}{}", named.mti, named.stan)).unwrap_or_default();
        let key = payments::Stan::parse(named.stan.as_bytes()).map(|stan| Key {
            stan,
            class: Key::class(named.mti.as_str()),
            ..request.key
        });
        let found = key.ok().and_then(|key| self.book.answered(&key));
        let Some(original) = found else {
            line.note = Some(Note::UnknownOriginal);
            line.de39 = ResponseCode::NOT_FOUND;
            return;
        };
        let item = original.line.item.and_then(|n| self.book.item(n));
        let exact = original.transmissions.contains(&named.transmission)
            && named.acquirer.as_str() == original.line.acquirer.as_str().trim_start_matches('0')
            && named.forwarder.as_str() == original.line.forwarder.as_str().trim_start_matches('0')
            && request.currency == original.line.currency
            && (request.pan.is_none() || line.card == original.line.card)
            && [Some(original.line.amount), Some(original.line.approved), item.map(|item| item.approved)]
                .contains(&Some(request.amount));
        line.card = original.line.card;
        line.item = Some(original.line.item.unwrap_or(original.line.n));
        if self.options.strict_original && !exact {
            line.note = Some(Note::OriginalMismatch);
            line.de39 = ResponseCode::NOT_FOUND;
            return;
        }
        line.de39 = ResponseCode::APPROVED;
        let Some(item) = item else {
            line.state = original.line.state;
            line.note = Some(Note::NothingStood);
            return;
        };
        line.network_id = item.network_id;
        line.approved = item.approved;
        let wanted = request.final_amount.unwrap_or(0);
        line.stands = wanted.min(item.stands);
        line.state = if line.stands > 0 { Standing::Open } else { Standing::Reversed };
        if wanted > item.stands {
            line.note = Some(Note::AboveStanding);
            line.de39 = ResponseCode::INVALID_AMOUNT;
        } else if wanted == item.stands {
            line.note = Some(Note::AlreadyReversed);
        } else {
            line.record = Record::Effect;
            self.counts.reversals_effective += 1;
        }
    }

    /// A line with everything that is copied from the request.
    fn blank(&self, now: Wall, request: &Request) -> Line {
        let n = self.book.next_line();
        let rrn = if request.rrn.is_empty() { Text::new(&format!("S{n:011}")).unwrap_or_default() } else { request.rrn };
        Line {
            n,
            at: now.to_string(),
            record: Record::Answer,
            kind: request.kind,
            mti: request.mti,
            rrn,
            stan: request.key.stan,
            de7: request.transmission,
            local: request.key.local,
            acquirer: request.key.acquirer,
            forwarder: request.forwarder,
            terminal: request.key.terminal,
            merchant: request.key.merchant,
            card: request.pan.as_ref().and_then(|pan| self.cards.find(pan.reveal())),
            amount: request.amount,
            currency: request.currency,
            de39: ResponseCode::MALFUNCTION,
            de38: Text::EMPTY,
            de44: Text::EMPTY,
            network_id: Text::EMPTY,
            settlement_date: self.settlement_date(now),
            state: Standing::Declined,
            approved: 0,
            stands: 0,
            original: Text::EMPTY,
            item: None,
            note: None,
        }
    }

    /// First letter of the network, date, line number: unique in the book.
    fn network_id(&self, n: u64, now: Wall) -> Text<32> {
        let (year, month, day) = now.date().parts();
        let letter = self.options.network.chars().next().filter(char::is_ascii_alphanumeric).unwrap_or('N').to_ascii_uppercase();
        Text::new(&format!("{letter}{:02}{month:02}{day:02}{n:010}", year % 100)).unwrap_or_default()
    }
}
