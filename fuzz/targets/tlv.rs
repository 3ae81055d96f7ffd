//! Feeds `iso8583::fuzz::fuzz_tlv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| iso8583::fuzz::fuzz_tlv(input));
