//! What both programs say: how they tell of a failure, and why a value is refused.

texts! {
    refused(message) { en: "Error, {message}", id: "Error, {message}" }
    failed(message) { en: "error: {message}", id: "error: {message}" }
    hint(advice) { en: "hint: {advice}", id: "saran: {advice}" }
    note(message) { en: "note: {message}", id: "catatan: {message}" }
    interrupted { en: "interrupted", id: "dihentikan" }
    no_duration(text) {
        en: "{text} is no time: give a number and ms, s, m, h or d",
        id: "{text} bukan waktu: tulis angka dan ms, s, m, h, atau d",
    }
    no_session_number {
        en: "give a whole number: the sessions that there are show theirs",
        id: "beri bilangan bulat: nomor yang tampak pada daftar sesi",
    }
    it_is_empty { en: "it is empty", id: "isinya kosong" }
    it_is_too_long(max) { en: "it is longer than {max} bytes", id: "lebih panjang dari {max} byte" }
    it_has_a_wrong_character {
        en: "it has a character that is not allowed",
        id: "ada karakter yang tidak diperbolehkan",
    }
    it_has_white_space_around {
        en: "it begins or ends with white space",
        id: "diawali atau diakhiri spasi",
    }
    exit_codes_heading { en: "Exit codes:", id: "Kode keluar:" }
    exit_interrupted { en: "interrupted (Ctrl-C)", id: "dihentikan (Ctrl-C)" }
    exit_output_closed { en: "standard output was closed", id: "standard output ditutup" }
}
