//! What a history went through, as the record tells it.

use ledger::memory::Tables;
use ledger::{CaptureKind, LaneEnd, LaneKind, PaymentKind, PaymentWrite};
use payments::{Cause, ResponseCode, State};

use crate::counters::Count;
use crate::terminal::Kind;
use crate::world::World;

impl World {
    pub(super) fn count_record(&mut self, tables: &Tables) {
        let counters = &mut self.counters;
        for command in tables.blocks.iter().flat_map(|block| &block.items).map(|item| &item.command) {
            if command.tombstone.is_some() {
                counters.add(Count::Tombstones);
            }
            match command.capture.map(|item| item.kind) {
                Some(CaptureKind::Void) => counters.add(Count::Voids),
                Some(CaptureKind::Credit) => counters.add(Count::CreditsAfterFreeze),
                _ => {}
            }
            match &command.payment {
                Some(PaymentWrite::Change { cause: Cause::Rerouted, .. }) => counters.add(Count::Failovers),
                Some(PaymentWrite::Change { cause: Cause::Late, standing, .. })
                    if standing.code == Some(ResponseCode::DO_NOT_HONOUR) =>
                {
                    counters.add(Count::PartialsRefused);
                }
                Some(PaymentWrite::Change { cause: Cause::Late, .. }) => counters.add(Count::LateReplies),
                Some(PaymentWrite::Change { cause: Cause::LateApproval, .. }) => counters.add(Count::LateApprovalsKept),
                _ => {}
            }
        }
        for payment in tables.payments.values().filter(|payment| payment.facts.kind == PaymentKind::Transfer) {
            let reason = tables
                .claims
                .get(&payment.facts.claim)
                .and_then(|claim| claim.answer.as_ref())
                .and_then(|answer| answer.transfer)
                .map(|transfer| transfer.reason.to_string())
                .unwrap_or_default();
            match (payment.standing.state, reason.as_str()) {
                (State::Executed, _) => counters.add(Count::TransfersExecuted),
                (_, "AM04") => counters.add(Count::TransfersWithoutFunds),
                (State::Declined, "AC04") => counters.add(Count::TransfersRejected),
                _ => {}
            }
        }
        for row in tables.lanes.values().filter(|row| row.item.kind == LaneKind::Enquiry) {
            if matches!(row.end, Some((LaneEnd::Acknowledged, _))) {
                counters.add(Count::EnquiriesResolved);
            }
        }
        for terminal in &self.terminals {
            for sale in &terminal.book {
                if sale.kind == Kind::Purchase && !terminal.model.host_capture && sale.completed.is_some() {
                    counters.add(Count::TerminalCaptures);
                }
            }
        }
    }
}
