//! Logs: JSON lines on standard error, so that standard output stays for results.

use tracing_subscriber::EnvFilter;

/// Starts logging; `SWITCHYARD_LOG` chooses levels as `target=level`, default `info`.
pub(crate) fn start() {
    // The PostgreSQL driver would log parameters at debug level: never bridged.
    let filter = EnvFilter::try_from_env("SWITCHYARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let started =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(std::io::stderr).with_env_filter(filter).try_init();
    if let Err(error) = started {
        eprintln!("switchyard: logging is not on: {error}");
    }
}
