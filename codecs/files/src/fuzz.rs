//! What fuzzers feed: they return nothing; what they look for is a panic, a hang, or memory that grows
//! with what the input claims.

use crate::Charset;
use crate::ipm::{Format, Layout, Presentment, Rules, chip_data, chip_objects, verify};

/// A clearing file. The first byte chooses layout and character set.
pub fn fuzz_ipm(input: &[u8]) {
    let Some((choice, file)) = input.split_first() else { return };
    let layout = if choice & 1 == 0 { Layout::Plain } else { Layout::Blocked };
    let charset = match choice >> 1 & 3 {
        0 => Charset::Cp500,
        1 => Charset::Cp037,
        _ => Charset::Latin1,
    };
    let findings = verify(file, Format { layout, charset }, &Rules::default(), |record| {
        let _ = Presentment::read(record);
    });
    let _ = findings.verdict();
}

/// Chip data: what is read is written again and read as the same.
pub fn fuzz_chip(input: &[u8]) {
    if let Ok(objects) = chip_objects(input)
        && let Ok(bytes) = chip_data(objects.iter().copied())
    {
        assert_eq!(chip_objects(&bytes).as_ref(), Ok(&objects));
    }
}
