//! The settings of a server that durability rests on.

use tokio_postgres::Client;

use crate::Error;

/// What each must be, as the session sees it.
const WANTED: [(&str, &[&str], &str); 3] = [
    ("fsync", &["on"], "on"),
    ("full_page_writes", &["on"], "on"),
    ("synchronous_commit", &["on", "remote_apply"], "on (or remote_apply)"),
];

/// Refuses a server that confirms what it could lose.
pub(crate) async fn refuse_unsafe(client: &Client) -> Result<(), Error> {
    for (setting, good, wanted) in WANTED {
        let value: String = client.query_one("select current_setting($1)", &[&setting]).await?.get(0);
        if !good.contains(&value.as_str()) {
            return Err(Error::Unsafe { setting, value, wanted });
        }
    }
    Ok(())
}
