//! Publishing the frozen file of a date, and recording that it is published.

use std::path::PathBuf;
use std::sync::Arc;

use payments::{BusinessDate, CardRef, PaymentId, Wall};
use tokio_postgres::Client;
use vault::{Reason, Sealer, VaultError};

use super::error::Error;
use super::freeze::{FrozenDay, freeze_day};
use crate::clearing::{CannotUnseal, ClearCard, Endpoint, Published, SetAside, Step, Unseal, Unsealed, publish};

const MARK: &str = "
update settlement.clearing_file
set state = 'published', manifest = $4, sha256 = $5, published_at = $6
where endpoint = $1 and business_date = $2::text::date and sequence = $3 and state = 'frozen'";

const SAME: &str = "
select 1 from settlement.clearing_file
where endpoint = $1 and business_date = $2::text::date and sequence = $3 and state = 'published' and sha256 = $4";

/// Cards out of the vault, each with the reason logged beside its payment.
pub struct VaultCards(pub Arc<dyn Sealer>);

impl Unseal for VaultCards {
    fn unseal(&mut self, payment: PaymentId, card: &CardRef) -> Unsealed {
        let span = tracing::info_span!("clearing_record", %payment);
        let card = span.in_scope(|| self.0.unseal(&card.sealed, Reason::Clearing)).map_err(|why| match why {
            VaultError::NotAuthentic | VaultError::UnknownKey(_) => CannotUnseal::Card(why.to_string()),
            _ => CannotUnseal::Vault(why.to_string()),
        })?;
        Ok(ClearCard { pan: card.pan.clone(), expiry: card.expiry, sequence: card.sequence })
    }
}

/// Freezes a closed date if it is not frozen yet, and publishes its file. A run after a crash ends what the
/// one before began, with the same bytes; a run after success finds the file and says so. Also gives what was
/// set aside from the file, on every run.
pub async fn publish_day(
    client: &mut Client,
    endpoint: &Endpoint,
    date: BusinessDate,
    directory: PathBuf,
    cards: Arc<dyn Sealer>,
    now: Wall,
) -> Result<(Published, Vec<SetAside>), Error> {
    let day = freeze_day(client, endpoint, date, Arc::clone(&cards), now).await?;
    let (key, set_aside) = (day.frozen.key, day.frozen.set_aside.clone());
    let published = tokio::task::spawn_blocking(move || {
        let FrozenDay { frozen, endpoint, ledger, .. } = &day;
        publish(&directory, endpoint, frozen, &mut VaultCards(cards), ledger, &mut |_: Step| Ok(()))
    });
    let published = published.await.map_err(|_| Error::Task)??;
    let manifest = serde_json::to_string(&published.manifest).map_err(|_| Error::Damaged("manifest"))?;
    let (name, on, sha256) = (endpoint.name.as_str(), date.to_string(), published.manifest.sha256.as_str());
    let sequence = i32::try_from(key.sequence).map_err(|_| Error::Damaged("sequence"))?;
    let marked = client.execute(MARK, &[&name, &on, &sequence, &manifest, &sha256, &now.0]).await?;
    if marked == 0 && client.query_opt(SAME, &[&name, &on, &sequence, &sha256]).await?.is_none() {
        return Err(Error::Clash(date));
    }
    Ok((published, set_aside))
}
