//! The server's settings, written anew at each start.

use std::path::Path;

use super::server::Server;

/// The text of `postgresql.conf`.
///
/// Segments of the WAL are recycled, not created (`min_wal_size`): a flush into a file that grows
/// takes ten to a hundred times longer than one into a file of the right size. Rows never come into
/// the log: `terse` leaves out the detail of a violated constraint, which is the row.
pub(crate) fn conf(server: &Server, socket: &Path, unsafe_test: bool, extra: &[(String, String)]) -> String {
    let socket = quoted(&socket.to_string_lossy());
    let compression = if server.lz4 { "lz4" } else { "pglz" };
    let (shared_buffers, min_wal, max_wal) = if unsafe_test { ("64MB", "128MB", "1GB") } else { ("256MB", "1GB", "4GB") };
    let mut text = format!(
        "# Written at each start of the private cluster. Settings of your own belong into local.conf beside this file.
listen_addresses = ''
unix_socket_directories = {socket}
unix_socket_permissions = 0700
port = 5432
max_connections = 60
superuser_reserved_connections = 3
max_worker_processes = 4

shared_buffers = {shared_buffers}
jit = off
default_toast_compression = {compression}

wal_level = replica
wal_compression = {compression}
wal_buffers = 16MB
min_wal_size = {min_wal}
max_wal_size = {max_wal}
checkpoint_timeout = 15min
commit_delay = 0

logging_collector = off
log_destination = stderr
log_line_prefix = '%m [%p] '
log_error_verbosity = terse
log_min_error_statement = panic
log_statement = none
log_parameter_max_length_on_error = 0
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'

include_if_exists = 'local.conf'

# What a payment that was confirmed relies on.
fsync = on
synchronous_commit = on
full_page_writes = on
"
    );
    for (setting, value) in extra {
        text.push_str(&format!("{setting} = {}\n", quoted(value)));
    }
    text
}

/// A value in the quotes of `postgresql.conf`.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_listens_on_a_network_and_nothing_confirmed_is_lost() {
        let server = Server { bin: "/".into(), lz4: true };
        let text = conf(&server, Path::new("/a/it's"), false, &[]);
        for line in [
            "listen_addresses = ''",
            "unix_socket_directories = '/a/it''s'",
            "fsync = on",
            "synchronous_commit = on",
            "full_page_writes = on",
            "log_error_verbosity = terse",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        let local = text.find("local.conf'").unwrap();
        assert!(text.rfind("fsync = on").unwrap() > local, "an operator's own settings cannot switch the flush off by accident");
    }
}
