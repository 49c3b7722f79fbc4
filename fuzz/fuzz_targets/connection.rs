#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chat_fuzz::connection::every_request_is_answered_once_in_its_place(bytes)
});
