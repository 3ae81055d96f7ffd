//! Feeds `iso8583::fuzz::fuzz_decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| iso8583::fuzz::fuzz_decode(input));
