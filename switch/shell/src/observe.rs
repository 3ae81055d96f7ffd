//! What the engine notes, as metrics and log lines. Notes carry no card data by type.

use engine::{Note, OrderOutcome};
use payments::Shard;

pub(crate) fn note(shard: Shard, note: &Note) {
    match note {
        Note::Payment { id, rrn, state, code } => {
            let code = code.map(|code| code.to_string()).unwrap_or_default();
            metrics::counter!("switchyard_payments_total", "state" => state.to_string(), "code" => code.clone()).increment(1);
            tracing::info!(target: "payment", shard = shard.0, %id, %rrn, %state, code, "payment");
        }
        Note::Unmatched { link, stan, why } => {
            metrics::counter!("switchyard_answers_unmatched_total", "link" => link.to_string()).increment(1);
            tracing::warn!(link = link.as_str(), stan = format!("{stan:06}"), why, "unmatched answer");
        }
        Note::Refused { code, why } => {
            metrics::counter!("switchyard_requests_refused_total", "code" => code.to_string()).increment(1);
            tracing::info!(%code, why, "refused");
        }
        Note::Repeat => metrics::counter!("switchyard_repeats_total").increment(1),
        Note::LaneAttempt { payment, attempt } => {
            metrics::counter!("switchyard_saf_attempts_total").increment(1);
            tracing::info!(target: "saf", %payment, attempt, "owed message sent");
        }
        Note::LaneDead { payment, code } => {
            metrics::counter!("switchyard_saf_dead_total").increment(1);
            tracing::error!(target: "saf", %payment, %code, "owed message refused: an operator must look");
        }
        Note::LaneDone { payment } => {
            metrics::counter!("switchyard_saf_done_total").increment(1);
            tracing::info!(target: "saf", %payment, "owed message acknowledged");
        }
        Note::Alarm { what, payment } => {
            metrics::counter!("switchyard_alarms_total").increment(1);
            tracing::error!(target: "alarm", payment = payment.map(|id| id.to_string()), what, "alarm");
        }
        Note::Ordered { order, outcome: outcome @ (OrderOutcome::Durable | OrderOutcome::Already | OrderOutcome::TriedNow) } => {
            tracing::info!(target: "operator", ?order, ?outcome, "an order was carried out");
        }
        Note::Ordered { order, outcome } => tracing::warn!(target: "operator", ?order, ?outcome, "an order was refused"),
        Note::DayOpened(date) => tracing::info!(target: "day", %date, "business day opened"),
        Note::DayClosed(date) => tracing::info!(target: "day", %date, "business day closed"),
    }
}
