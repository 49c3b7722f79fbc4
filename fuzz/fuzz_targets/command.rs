#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::command::line_is_one_request_or_one_refusal(
    bytes
));
