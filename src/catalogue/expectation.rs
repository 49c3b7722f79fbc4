//! Expectations: what `chat-cli expect` and `report` print.

texts! {
    expected_until(name, due_at) {
        en: "{name} is expected, the next report until {due_at}",
        id: "{name} diharapkan melapor, paling lambat {due_at}",
    }
    not_expected(name) {
        en: "{name} is no longer expected",
        id: "{name} tidak lagi diharapkan melapor",
    }
    reported(name, due_at) {
        en: "{name} has reported; the next report is due by {due_at}",
        id: "{name} sudah melapor, laporan berikutnya paling lambat {due_at}",
    }
    is_late { en: "LATE", id: "TERLAMBAT" }
    is_running { en: "running", id: "berjalan" }
    is_on_time { en: "on time", id: "tepat waktu" }
    due_at(due_at) { en: "due {due_at}", id: "paling lambat {due_at}" }
    last_report(at) { en: "last report {at}", id: "laporan terakhir {at}" }
    last_failure(at, code) {
        en: "last report {at}, failed with {code}",
        id: "laporan terakhir {at}, gagal dengan {code}",
    }
    no_report_yet { en: "no report yet", id: "belum ada laporan" }
    tells(user) { en: "tells {user}", id: "memberi tahu {user}" }
    give_expectation(reason) {
        en: "{reason}: give 1 to 32 of a-z, 0-9, _, - and .",
        id: "{reason}: isi 1 sampai 32 dari a-z, 0-9, _, -, dan .",
    }
    give_period {
        en: "give whole seconds, at least 1s and at most 366d",
        id: "isi detik bulat, paling sedikit 1s dan paling banyak 366d",
    }
    give_exit_code { en: "give 0 to 255", id: "isi 0 sampai 255" }
    give_name_every_and_tell {
        en: "give a name, --every and --tell",
        id: "isi nama, --every, dan --tell",
    }
}
