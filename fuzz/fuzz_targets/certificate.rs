#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::certificate::facts_of_any_bytes_can_be_told(
    bytes
));
