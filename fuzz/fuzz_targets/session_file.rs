#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    chat_fuzz::files::session_is_for_its_server_and_user_alone(bytes)
});
