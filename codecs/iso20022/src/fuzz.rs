//! Fuzz targets: any bytes in, no panic, and what can be read is written and read again the same.

use crate::{Limits, read, read_document, write, write_document};

/// Reads bytes as an envelope. What is read must survive a round trip.
///
/// # Panics
/// When it does not.
pub fn envelope(bytes: &[u8]) {
    if let Ok(received) = read(bytes, &Limits::LINK) {
        let again = read(&write(&received.value), &Limits { document_bytes: usize::MAX, ..Limits::LINK });
        assert!(again.is_ok_and(|again| again.value == received.value), "an envelope changed by writing and reading");
    }
}

/// Reads bytes as a bare document. What is read must survive a round trip.
///
/// # Panics
/// When it does not.
pub fn document(bytes: &[u8]) {
    if let Ok(received) = read_document(bytes, &Limits::LINK) {
        let again = read_document(&write_document(&received.value), &Limits { document_bytes: usize::MAX, ..Limits::LINK });
        assert!(again.is_ok_and(|again| again.value == received.value), "a document changed by writing and reading");
    }
}
