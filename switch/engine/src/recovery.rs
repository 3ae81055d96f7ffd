//! Taking over: whatever was "sent or about to be" without outcome owes its resolution. A card owes a
//! reversal, a credit transfer an enquiry; both are durable before anybody is told.

use ledger::{Command, LaneWrite, PaymentKind, PaymentRecord, Snapshot};
use payments::outgoing::TransferOut;
use payments::{Answer, Cause, Now, ResponseCode, State};

use crate::api::{Effect, Note};
use crate::engine::{Engine, Out};
use crate::lanes::{Active, What, owed_reversal};
use crate::transfer;

impl Engine {
    pub(crate) fn recover(&mut self, snapshot: Snapshot, now: Now, out: Out<'_>) {
        self.resume_days(now, snapshot.day, snapshot.closing, out);
        for (link, stan) in &snapshot.marks.stans {
            self.links.entry(*link).or_default().resume(*stan);
        }
        for lane in snapshot.lanes {
            self.resume_lane(now, lane);
        }
        for record in snapshot.open {
            self.resolve(now, record, out);
        }
        self.close_days(now, out);
    }

    /// A payment without outcome. (One that is being asked about has its lane already.)
    fn resolve(&mut self, now: Now, record: PaymentRecord, out: Out<'_>) {
        if record.standing.state != State::Sent {
            return;
        }
        let payment = record.facts.id;
        let mut then = record.clone();
        let recovered = if record.facts.kind == PaymentKind::Transfer {
            self.transfers.insert(TransferOut::message_id_of(payment), payment);
            transfer::enquiry(&mut then, Cause::Recovery, now)
        } else {
            reversal(&mut then, &self.tables, now)
        };
        let Some(command) = recovered else {
            return out.push(Effect::Note(Note::Alarm {
                what: "a payment without outcome cannot be resolved",
                payment: Some(payment),
            }));
        };
        let Some(LaneWrite::Owe(item)) = command.lanes.first().cloned() else { return };
        self.active.insert(payment, Active::new(record));
        self.change(command, Cause::Recovery, then, What::Recovered(*item), out);
    }
}

/// COMMIT R of a card payment found without outcome.
fn reversal(record: &mut PaymentRecord, tables: &crate::Tables, now: Now) -> Option<Command> {
    let egress = record.facts.egress.clone()?;
    let settings = tables.links.get(&egress.link);
    let life = settings.map(|s| s.maximum_life).unwrap_or_default();
    let code = settings.map_or(ResponseCode::TIMEOUT, |s| s.timeout_code);
    record.standing.state = State::step(Some(record.standing.state), Cause::Recovery).ok()?;
    record.standing.version += 1;
    record.standing.code = Some(code);
    let not_before = record.facts.send_by.after(life);
    let mut command = Command::at(now.wall);
    command.answers.push((record.facts.claim, Answer::code(code)));
    command.lanes.push(LaneWrite::Owe(Box::new(owed_reversal(record, egress, ResponseCode::TIMEOUT, not_before))));
    Some(command)
}
