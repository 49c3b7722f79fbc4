#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chat_fuzz::answer::any_bytes_are_an_answer_or_refused(
    bytes
));
